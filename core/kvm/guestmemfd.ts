// SPDX-License-Identifier: GPL-2.0-or-later
// guest_memfd: memory of confidential guests that no process has mapped, found through its file.

import { hex } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { CorruptError, FaultError } from '../errors.ts'
import { type Linux } from '../linux/linux.ts'
import { XArrays } from '../linux/xarray.ts'
import { address, layout, optional, pointer, uint } from '../types/layout.ts'
import { type Memslot } from './memslots/memslot.ts'

/** KVM_MEMORY_ATTRIBUTE_PRIVATE of include/uapi/linux/kvm.h. */
const PRIVATE = 1 << 3

/** Pages whose attributes are read before the file is: they can change with each page. */
const WINDOW = 1 << 15

/** Frames of a guest that are all private or all not, or of which nobody knows it. */
interface Run {
  readonly from: number
  end: number
  readonly isOwn: boolean | FaultError
}

/** A page of a guest that is private to it: not what the VMM has at the slot's hva. */
export interface PrivatePage {
  /** The guest physical address that was asked for. */
  readonly gpa: number
  /** The `struct file` of the guest_memfd, or null when it was closed. */
  readonly file: bigint | null
  /** The page's number in that file. */
  readonly index: number
  /** Where it lies on the host, or null when the file has no page there yet. Its content may be encrypted. */
  readonly hpa: number | null
}

/** Takes runs of guest memory: from a guest physical address on, so many pages. */
export interface PrivateVisitor {
  /** What the VMM has in its own memory. */
  shared(gpa: number, pages: number): void
  /** Private pages, in frames that follow each other from this one on; null when they were never touched. */
  own(gpa: number, pages: number, frame: number | null): void
  /** What tells whether they are private, or leads to them, is not in the dump. */
  lost(gpa: number, pages: number, error: FaultError): void
}

/** Looks up the private pages of a host's guests. */
export class GuestMemfd {
  readonly #linux: Linux
  readonly #kvm
  readonly #slot
  readonly #xarrays: XArrays
  readonly #file
  readonly #inode
  readonly #mapping

  constructor(linux: Linux) {
    const { types, space } = linux.host
    this.#linux = linux
    this.#xarrays = new XArrays(space, types)
    // Both since 6.8, where they are configured.
    this.#kvm = layout(types, 'kvm', { attributes: optional(address('mem_attr_array')) })
    this.#slot = layout(types, 'kvm_memory_slot', {
      file: pointer('gmem.file'),
      offset: uint('gmem.pgoff'),
    })
    this.#file = layout(types, 'file', { inode: pointer('f_inode') })
    this.#inode = layout(types, 'inode', { mapping: pointer('i_mapping') })
    this.#mapping = layout(types, 'address_space', { pages: address('i_pages') })
  }

  /** Whether a guest's address is private, as its VMM has set it (KVM_SET_MEMORY_ATTRIBUTES). */
  isPrivate(kvm: bigint, slot: Memslot, gpa: number): boolean {
    if (slot.flags.includes('GMEM_ONLY')) return true
    const { space } = this.#linux.host
    const { attributes } = this.#kvm.at(space, kvm)
    if (attributes === undefined) return false
    return isPrivate(Number(this.#xarrays.load(attributes, Math.floor(gpa / PAGE_SIZE))))
  }

  /** The page behind an address that is private. Throws FaultError when what leads to it is not in the dump. */
  page(slot: Memslot, gpa: number): PrivatePage {
    const { space } = this.#linux.host
    const { file, offset } = this.#slot.at(space, slot.address)
    const index = Math.floor((gpa - slot.gpa) / PAGE_SIZE) + offset
    if (file === 0n) return { gpa, file: null, index, hpa: null }
    const mapping = this.#mappingOf(file)
    const { entry, first } = this.#xarrays.find(this.#mapping.at(space, mapping).pages, index)
    // A value stands for a page that was there once.
    if (entry === 0n || (entry & 1n) === 1n) return { gpa, file, index, hpa: null }
    const frame =
      this.#frameOf(mapping, Number(entry & 0xffffffffn), Number(entry >> 32n)) + index - first
    return { gpa, file, index, hpa: frame * PAGE_SIZE + (gpa % PAGE_SIZE) }
  }

  /**
   * Goes through pages of a slot of guest_memfd from a guest physical address on, in order and without gaps; what `page`
   * and `isPrivate` tell of one. Work grows with the nodes of the trees that cover them, not with the pages.
   */
  scan(kvm: bigint, slot: Memslot, gpa: number, pages: number, visit: PrivateVisitor): void {
    const { attributes } = this.#kvm.at(this.#linux.host.space, kvm)
    if (slot.flags.includes('GMEM_ONLY')) this.#scanFile(slot, gpa, pages, visit)
    else if (attributes === undefined) visit.shared(gpa, pages)
    else {
      const end = gpa / PAGE_SIZE + pages
      for (let from = gpa / PAGE_SIZE; from < end;) {
        const to = Math.min(end, (Math.floor(from / WINDOW) + 1) * WINDOW)
        this.#scanRuns(slot, this.#runsOf(attributes, from, to - from), visit)
        from = to
      }
    }
  }

  /** Frames of a guest by whether they are private, as far as the dump tells. */
  #runsOf(attributes: bigint, from: number, count: number): Run[] {
    const runs: Run[] = []
    const add = (gfn: number, pages: number, isOwn: boolean | FaultError): void => {
      const last = runs.at(-1)
      if (last?.isOwn === isOwn) last.end = gfn + pages
      else runs.push({ from: gfn, end: gfn + pages, isOwn })
    }
    this.#xarrays.scan(attributes, from, count, {
      entry(gfn, pages, low) {
        add(gfn, pages, isPrivate(low))
      },
      lost: add,
    })
    return runs
  }

  /** Runs that follow each other. The file's tree is gone through once for all of them that are private. */
  #scanRuns(slot: Memslot, runs: readonly Run[], visit: PrivateVisitor): void {
    const own = runs.filter(({ isOwn }) => isOwn === true)
    const [from, end] = [own[0]?.from ?? Infinity, own.at(-1)?.end ?? Infinity]
    const tell = (run: Run): void => {
      const [gpa, pages] = [run.from * PAGE_SIZE, run.end - run.from]
      if (run.isOwn instanceof FaultError) visit.lost(gpa, pages, run.isOwn)
      else visit.shared(gpa, pages)
    }
    let at = 0
    for (let run = runs[0]; run !== undefined && run.from < from; run = runs[++at]) tell(run)
    if (own.length === 0) return
    // What the file has is told of the private frames alone.
    const cut = (gpa: number, pages: number, tellOwn: (gpa: number, pages: number) => void) => {
      const to = gpa / PAGE_SIZE + pages
      for (let gfn = gpa / PAGE_SIZE; gfn < to;) {
        const run = runs[at]
        if (run === undefined) break
        const next = Math.min(to, run.end)
        if (run.isOwn === true) tellOwn(gfn * PAGE_SIZE, next - gfn)
        else if (gfn === run.from) tell(run)
        if (next === run.end) at++
        gfn = next
      }
    }
    this.#scanFile(slot, from * PAGE_SIZE, end - from, {
      shared: () => undefined,
      own(gpa, pages, frame) {
        cut(gpa, pages, (first, count) => {
          visit.own(first, count, frame === null ? null : frame + (first - gpa) / PAGE_SIZE)
        })
      },
      lost(gpa, pages, error) {
        cut(gpa, pages, (first, count) => {
          visit.lost(first, count, error)
        })
      },
    })
    for (const run of runs.slice(at)) tell(run)
  }

  /** Pages of a slot that are private. */
  #scanFile(slot: Memslot, gpa: number, pages: number, visit: PrivateVisitor): void {
    const { space } = this.#linux.host
    let tree: bigint | undefined
    let mapping = 0n
    let shift = 0
    try {
      const { file, offset } = this.#slot.at(space, slot.address)
      shift = offset - slot.gpa / PAGE_SIZE
      if (file !== 0n) {
        mapping = this.#mappingOf(file)
        tree = this.#mapping.at(space, mapping).pages
      }
    } catch (error) {
      if (!(error instanceof FaultError)) throw error
      visit.lost(gpa, pages, error)
      return
    }
    if (tree === undefined) {
      visit.own(gpa, pages, null)
      return
    }
    this.#xarrays.scan(tree, gpa / PAGE_SIZE + shift, pages, {
      entry: (index, count, low, high, first) => {
        const isPage = (low & 1) === 0 && (low !== 0 || high !== 0)
        const frame = isPage ? this.#frameOf(mapping, low, high) + index - first : null
        visit.own((index - shift) * PAGE_SIZE, count, frame)
      },
      lost(index, count, error) {
        visit.lost((index - shift) * PAGE_SIZE, count, error)
      },
    })
  }

  #mappingOf(file: bigint): bigint {
    const { space } = this.#linux.host
    return this.#inode.at(space, this.#file.at(space, file).inode).mapping
  }

  /** The frame of a folio's first page, whose `struct page` is at an address in halves. */
  #frameOf(mapping: bigint, low: number, high: number): number {
    const frame = this.#linux.pages.frameAtHalves(low, high)
    if (frame !== undefined) return frame
    const head = hex(BigInt(high) * 2n ** 32n + BigInt(low))
    throw new CorruptError('address_space.i_pages', mapping, `${head} is no struct page`)
  }
}

/** Whether an entry of a guest's attributes has PRIVATE: a value, which an XArray keeps shifted by one behind a bit 0. */
function isPrivate(low: number): boolean {
  return (low & 1) === 1 && ((low >>> 1) & PRIVATE) !== 0
}
