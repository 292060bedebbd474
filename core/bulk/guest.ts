// SPDX-License-Identifier: GPL-2.0-or-later
// Pages of a guest's memory as its page tables say, for the words of a mapping; swap entries are kept beside.

import { PAGE_SIZE } from '../dump/format.ts'
import { type Vm } from '../kvm/vm.ts'
import { type SwapEntry } from '../linux/swap/swapentry.ts'
import { leafTables } from '../paging/leaftables.ts'
import { scan, type Visit } from '../paging/scan.ts'
import { type UserSpace } from '../space/uva.ts'
import { type MappedSlot, type PageReader, type SlotPage } from './mapping.ts'
import { fillAlike, REGION, type Scratch, withFrame, withoutFrame } from './region.ts'
import { NOT_IN_DUMP, POISONED, stateCode, SWAPPED, UNMAPPED } from './states.ts'

/** A page in swap. */
export interface SwappedPage {
  readonly type: number
  /** In pages from the start of the device. */
  readonly offset: number
}

const MIGRATING = stateCode('migrating')
const MARKER = stateCode('marker')
const DEVICE_PRIVATE = stateCode('device-private')

/** The page tables of one process, read page by page. */
export class GuestPages implements PageReader {
  readonly #vm: Pick<Vm, 'linux'>
  readonly #space: UserSpace | undefined
  readonly #slots: readonly MappedSlot[]
  /** The first page of the kernel's half, which no process has. */
  readonly #userEnd: number
  /** Three words for each swapped page: the entry's halves, and the page under it. */
  #swapped = new Uint32Array(3 * 64)
  #swappedCount = 0
  #scratch: Scratch | undefined
  #slot = 0
  /** What is to be added to a virtual page number to get an index of the scratch. */
  #shift = 0

  /** Without `space` the top of the tables is not in the dump. */
  constructor(vm: Pick<Vm, 'linux'>, space: UserSpace | undefined, slots: readonly MappedSlot[]) {
    this.#vm = vm
    this.#space = space
    this.#slots = slots
    this.#userEnd = space === undefined ? 0 : 2 ** (9 * space.rules.levels - 1)
  }

  /** Where the page of swap entry number `word` is. */
  swappedPage(word: number): SwappedPage | undefined {
    const at = 3 * word
    const [low = 0, high = 0, page = 0] = this.#swapped.subarray(at, at + 3)
    const entry = this.#vm.linux.swap.format.decode(low, high)
    return entry.kind === 'swap' ? { type: entry.type, offset: entry.offset + page } : undefined
  }

  read(slot: number, gfn: number, count: number, scratch: Scratch, at: number): void {
    const scanPrivate = this.#slots[slot]?.scanPrivate
    if (scanPrivate === undefined) {
      this.#readMapped(slot, gfn, count, scratch, at)
      return
    }
    const place = (gpa: number) => at + gpa / PAGE_SIZE - gfn
    scanPrivate(gfn * PAGE_SIZE, count, {
      shared: (gpa, pages) => {
        this.#readMapped(slot, gpa / PAGE_SIZE, pages, scratch, place(gpa))
      },
      own: (gpa, pages, frame) => {
        this.#slot = slot
        this.#scratch = scratch
        if (frame !== null) this.#frames(place(gpa), pages, 0, 0, frame)
        else scratch.more.fill(withoutFrame(slot, UNMAPPED), place(gpa), place(gpa) + pages)
      },
      lost: (gpa, pages) => {
        scratch.more.fill(withoutFrame(slot, NOT_IN_DUMP), place(gpa), place(gpa) + pages)
      },
    })
  }

  /** What the page tables of the VMM say. */
  #readMapped(slot: number, gfn: number, count: number, scratch: Scratch, at: number): void {
    if (this.#space === undefined) {
      scratch.more.fill(withoutFrame(slot, NOT_IN_DUMP), at, at + count)
      return
    }
    const { memory, rules, root } = this.#space
    const vpn = this.#vpn(slot, gfn)
    const inUserHalf = Math.max(0, Math.min(count, this.#userEnd - vpn))
    scratch.more.fill(withoutFrame(slot, UNMAPPED), at + inUserHalf, at + count)
    if (inUserHalf === 0) return
    this.#scratch = scratch
    this.#slot = slot
    this.#shift = at - vpn
    scan(memory, rules, root, vpn, inUserHalf, this.#visit)
  }

  ahead(pages: readonly SlotPage[]): void {
    if (this.#space === undefined) return
    const { memory, rules, root } = this.#space
    memory.ahead(
      leafTables(
        memory,
        rules,
        root,
        pages.map(({ slot, gfn }) => this.#vpn(slot, gfn)),
      ),
    )
  }

  forget(): void {
    this.#swappedCount = 0
  }

  /** The virtual page number of a guest's page. */
  #vpn(slot: number, gfn: number): number {
    const delta = this.#slots[slot]?.delta ?? 0n
    return Number(BigInt.asUintN(64, (BigInt(gfn) << 12n) + delta) >> 12n)
  }

  readonly #visit: Visit = (vpn, count, kind, level, frame, low, high) => {
    if (this.#scratch === undefined) return
    const at = vpn + this.#shift
    const { more } = this.#scratch
    if (kind === 'page' || kind === 'prot-none') this.#frames(at, count, level - 1, 0, frame)
    else if (kind === 'swap') this.#special(at, count, low, high, vpn % 512 ** (level - 1))
    else {
      const word = withoutFrame(this.#slot, kind === 'missing' ? NOT_IN_DUMP : UNMAPPED)
      if (count < REGION || !fillAlike(this.#scratch, 0, word)) more.fill(word, at, at + count)
    }
  }

  #frames(at: number, count: number, size: number, state: number, frame: number): void {
    const scratch = this.#scratch
    if (scratch === undefined) return
    const first = withFrame(this.#slot, size, state, frame)
    if (count === 1) {
      scratch.low[at] = frame
      scratch.more[at] = first
      return
    }
    if (count === REGION && frame < 2 ** 32 && fillAlike(scratch, frame, first)) return
    for (let page = 0; page < count; page++) {
      scratch.low[at + page] = frame + page
      scratch.more[at + page] = withFrame(this.#slot, size, state, frame + page)
    }
  }

  /** Pages that are not present; `page` is where the first of them lies under its entry. */
  #special(at: number, count: number, low: number, high: number, page: number): void {
    const scratch = this.#scratch
    if (scratch === undefined) return
    const { format } = this.#vm.linux.swap
    if (format.kindOf(low, high) === 'swap') {
      scratch.more.fill(withoutFrame(this.#slot, SWAPPED), at, at + count)
      for (let i = 0; i < count; i++) scratch.low[at + i] = this.#keep(low, high, page + i)
      return
    }
    const entry = format.decode(low, high)
    const state = stateOf(entry)
    // As in a single translation: a frame that was lost, left, or lent is told; one of a device is not host memory.
    const isFrame =
      entry.kind === 'migration' || entry.kind === 'hwpoison' || entry.kind === 'device-exclusive'
    if (isFrame) this.#frames(at, count, 0, state, entry.pfn + page)
    else scratch.more.fill(withoutFrame(this.#slot, state), at, at + count)
  }

  #keep(low: number, high: number, page: number): number {
    const at = 3 * this.#swappedCount
    if (at === this.#swapped.length) {
      const grown = new Uint32Array(2 * this.#swapped.length)
      grown.set(this.#swapped)
      this.#swapped = grown
    }
    this.#swapped[at] = low
    this.#swapped[at + 1] = high
    this.#swapped[at + 2] = page
    return this.#swappedCount++
  }
}

function stateOf(entry: SwapEntry): number {
  switch (entry.kind) {
    case 'swap':
      return SWAPPED
    case 'migration':
      return MIGRATING
    case 'hwpoison':
      return POISONED
    case 'device-private':
    case 'device-exclusive':
      return DEVICE_PRIVATE
    case 'marker':
      return entry.marks.includes('poisoned') ? POISONED : MARKER
    case 'untold':
      return NOT_IN_DUMP
    case 'unknown':
    case 'nonlinear':
      return UNMAPPED
  }
}
