// SPDX-License-Identifier: GPL-2.0-or-later
// Counting: the pages of a range of a VMM's memory, through its page tables and the struct pages of its frames.

import { hex } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { savedOf } from '../dump/recording.ts'
import { DumpError } from '../errors.ts'
import { frameKinds, type FrameTable, kindOf, nodeOf } from '../linux/frametable.ts'
import { type Linux } from '../linux/linux.ts'
import { type SwapFormat } from '../linux/swap/swapentry.ts'
import { scan, type Visit } from '../paging/scan.ts'
import { type Level } from '../paging/x86_64.ts'
import { type UserSpace } from '../space/uva.ts'
import { type Cells } from './cells.ts'
import { ExtentCounter } from './extents.ts'
import { swapStates } from './gpastate.ts'
import { type PrivateVisitor } from './guestmemfd.ts'
import { countedState, countedStates, keyOf, Tally } from './share.ts'

/** So many pages are counted between two words of progress: a few milliseconds. */
const PAGES_A_STEP = 1 << 16

const UNMAPPED = countedState('unmapped')
const NOT_IN_DUMP = countedState('not-in-dump')
const POISONED = countedState('poisoned')
const MARKER = countedState('marker')
const UNKNOWN = frameKinds.indexOf('unknown')

/** What went wrong while pages were counted: how many pages of each sort, and what was first. */
export class Problems {
  readonly #found = new Map<string, { pages: number; first: string }>()

  /** Notes pages with a problem; only of the first is asked what it is. */
  note(what: string, pages: number, first: () => string): void {
    const known = this.#found.get(what)
    if (known === undefined) this.#found.set(what, { pages, first: first() })
    else known.pages += pages
  }

  /** One sentence a sort. */
  remarks(): string[] {
    return Array.from(this.#found, ([what, { pages, first }]) => {
      const many = `${pages.toLocaleString('en-US')} page${pages === 1 ? '' : 's'}`
      return `${many}: ${what}; the first: ${first}`
    })
  }
}

/** Pages of one range of guest memory that are to be counted, and where to. */
export interface CountedRange {
  /** The first guest physical address, and the host virtual one as a page number. */
  readonly gpa: number
  readonly vpn: number
  readonly npages: number
  /** For memory of guest_memfd: what is private is not in the page tables. */
  readonly scanPrivate: ((visit: PrivateVisitor) => void) | undefined
}

/** Counts pages of one virtual machine. */
export class PageCounter {
  readonly tally = new Tally()
  readonly extents = new ExtentCounter()
  readonly #linux: Linux
  readonly #space: UserSpace
  readonly #frames: FrameTable | undefined
  readonly #format: SwapFormat
  readonly #cells: Cells | undefined
  readonly #problems: Problems
  readonly #advance: (pages: number) => void
  #range: CountedRange = { gpa: 0, vpn: 0, npages: 0, scanPrivate: undefined }
  #untold = 0

  /** Without `frames`, kinds and nodes are not looked up. */
  constructor(
    linux: Linux,
    space: UserSpace,
    problems: Problems,
    advance: (pages: number) => void,
    options: { frames?: FrameTable | undefined; cells?: Cells | undefined } = {},
  ) {
    this.#linux = linux
    this.#space = space
    this.#problems = problems
    this.#advance = advance
    this.#frames = options.frames
    this.#cells = options.cells
    this.#format = linux.swap.format
  }

  /** Counts the pages of a range. */
  count(range: CountedRange): void {
    this.#range = range
    const { gpa, npages, scanPrivate } = range
    if (scanPrivate === undefined) this.#shared(gpa, npages)
    else scanPrivate(this.#private)
    this.extents.end()
    this.#advance(this.#untold)
    this.#untold = 0
  }

  /** Counts what the page tables of the VMM have. */
  #shared(gpa: number, npages: number): void {
    const { memory, rules, root } = this.#space
    const vpn = this.#vpnOf(gpa)
    const userEnd = 2 ** (9 * rules.levels - 1)
    const inUserHalf = Math.max(0, Math.min(npages, userEnd - vpn))
    const above = npages - inUserHalf
    if (inUserHalf > 0) scan(memory, rules, root, vpn, inUserHalf, this.#visit)
    if (above > 0) {
      this.#none(gpa + inUserHalf * PAGE_SIZE, above, UNMAPPED)
      this.#problem('the memslot leads to no user address', vpn + inUserHalf, above)
    }
  }

  /** Counts what is private to the guest, and in no page table of the VMM. */
  readonly #private: PrivateVisitor = {
    shared: (gpa, pages) => {
      this.#shared(gpa, pages)
    },
    own: (gpa, pages, frame) => {
      if (frame === null) this.#none(gpa, pages, UNMAPPED)
      else this.#mapped(gpa, pages, 1, frame, false)
      this.#counted(pages)
    },
    lost: (gpa, pages, error) => {
      this.#none(gpa, pages, NOT_IN_DUMP)
      const what = 'what leads to private memory of the guest is not in the dump'
      this.#problems.note(what, pages, () => `gpa ${hex(gpa)}: ${error.message}`)
      this.#counted(pages)
    },
  }

  readonly #visit: Visit = (vpn, count, kind, level, frame, low, high) => {
    const { gpa, vpn: firstVpn } = this.#range
    this.#pages(vpn, gpa + (vpn - firstVpn) * PAGE_SIZE, count, kind, level, frame, low, high)
    this.#counted(count)
  }

  #counted(pages: number): void {
    this.#untold += pages
    if (this.#untold < PAGES_A_STEP) return
    this.#advance(this.#untold)
    this.#untold = 0
  }

  #vpnOf(gpa: number): number {
    return this.#range.vpn + (gpa - this.#range.gpa) / PAGE_SIZE
  }

  #pages(
    vpn: number,
    gpa: number,
    count: number,
    kind: Parameters<Visit>[2],
    level: Level,
    frame: number,
    low: number,
    high: number,
  ): void {
    if (kind === 'page' || kind === 'prot-none') {
      this.#mapped(gpa, count, level, frame, kind === 'prot-none')
    } else if (kind === 'swap') {
      this.#none(gpa, count, this.#swapState(low, high))
    } else if (kind === 'missing') {
      this.#none(gpa, count, NOT_IN_DUMP)
      this.#problem('a page table is not in the dump', vpn, count, () => this.#whyMissing(frame))
    } else {
      this.#none(gpa, count, UNMAPPED)
      if (kind === 'bad') this.#problem('the page table is damaged', vpn, count)
    }
  }

  #mapped(gpa: number, count: number, level: Level, frame: number, protNone: boolean): void {
    this.extents.mapped(frame, count)
    this.#cells?.add(gpa, count, level - 1)
    const { source } = this.#linux.host.memory
    // A large page is one folio, or pieces of one, of one node; so are private pages that come together.
    const head = level === 1 ? frame : frame - (frame % 512 ** (level - 1))
    let kind = -1
    let node = -1
    if (this.#frames !== undefined) {
      if (level === 1) {
        kind = this.#frames.kind(head)
        node = this.#frames.node(head)
      } else {
        const entry = this.#frames.once(head)
        kind = kindOf(entry)
        node = nodeOf(entry)
      }
      if (kind === UNKNOWN) {
        const what = 'what their frames are used for is not in the dump'
        this.#problems.note(what, count, () => this.#whyUnknown(gpa, head))
      }
    }
    const saved = savedOf(source, frame, count)
    if (saved > 0) this.tally.add(keyOf(level - 1, protNone, kind, true, node), saved)
    if (saved < count) this.tally.add(keyOf(level - 1, protNone, kind, false, node), count - saved)
  }

  #none(gpa: number, count: number, code: number): void {
    this.extents.end()
    this.#cells?.add(gpa, count, code)
    this.tally.add(keyOf(code), count)
  }

  #swapState(low: number, high: number): number {
    const state = countedStates.indexOf(swapStates[this.#format.kindOf(low, high)])
    if (state !== MARKER) return state
    const entry = this.#format.decode(low, high)
    return entry.kind === 'marker' && entry.marks.includes('poisoned') ? POISONED : MARKER
  }

  #problem(what: string, vpn: number, count: number, why?: () => string): void {
    this.#problems.note(what, count, () => {
      const gpa = this.#range.gpa + (vpn - this.#range.vpn) * PAGE_SIZE
      const where = `gpa ${hex(gpa)}, hva ${hex(BigInt(vpn) << 12n)}`
      return why === undefined ? where : `${where}: ${why()}`
    })
  }

  #whyMissing(table: number): string {
    const page = this.#space.memory.tryPage(table)
    return page instanceof Uint8Array
      ? ''
      : `the table at ${hex(table * PAGE_SIZE)}: ${page.detail}`
  }

  #whyUnknown(gpa: number, frame: number): string {
    const where = `gpa ${hex(gpa)}, frame ${hex(frame)}`
    if (frame >= this.#linux.host.memory.source.endPfn)
      return `${where}: the host has no such frame`
    try {
      const { use } = this.#linux.pages.at(frame)
      return `${where}: ${use}`
    } catch (error) {
      if (!(error instanceof DumpError)) throw error
      return `${where}: ${error.message}`
    }
  }
}
