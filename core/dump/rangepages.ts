// SPDX-License-Identifier: GPL-2.0-or-later
// Pages of formats that are nothing but ranges of memory: LiME, AVML, raw.

import { DumpError } from '../errors.ts'
import { type FileBytes } from './file.ts'
import {
  missingBy,
  PAGE_SIZE,
  type DumpFacts,
  type FrameRange,
  type Missing,
  type Note,
  type PageSource,
} from './format.ts'
import { PageCache } from './pagecache.ts'
import { Ranges, type Range } from './ranges.ts'

/** The end of physical addresses on x86-64. */
export const MAX_ADDRESS = 2 ** 52

/** Memory as a file's ranges. `offset` of a range is where its bytes begin in `file`, which may end before they do. */
export interface RangeDump {
  readonly file: FileBytes
  readonly ranges: readonly Range[]
  readonly facts: DumpFacts
  /** What it means that no range has an address, in words. */
  readonly outside: string
  /** Why ranges may be missing: the walk through the file had to stop. */
  readonly stopped?: string | undefined
}

/**
 * Pages of ranges that may begin and end inside a page. A page that is there in part only is not handed out, since the
 * rest of its bytes would have to be made up; its reason tells how many there are. Pages put together of several
 * ranges are whole.
 */
export class RangePages implements PageSource {
  readonly facts: DumpFacts
  readonly endPfn: number
  readonly notes: readonly Note[] = []
  readonly vmcoreinfo = undefined
  readonly #dump: RangeDump
  readonly #ranges: Ranges
  readonly #cache = new PageCache()

  constructor(dump: RangeDump) {
    this.#dump = dump
    this.facts = dump.facts
    this.#ranges = new Ranges(dump.ranges)
    this.endPfn = Math.ceil(this.#ranges.end / PAGE_SIZE)
  }

  page(pfn: number): Uint8Array | Missing {
    if (!Number.isInteger(pfn) || pfn < 0 || pfn >= MAX_ADDRESS / PAGE_SIZE) {
      return { why: 'hole', detail: 'no physical address is that high' }
    }
    try {
      return this.#page(pfn * PAGE_SIZE)
    } catch (error) {
      if (error instanceof DumpError) return missingBy(error)
      throw error
    }
  }

  exists(pfn: number): boolean {
    return this.#ranges.touch(pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE)
  }

  memory(): Iterable<FrameRange> {
    return this.#ranges.frames()
  }

  saved(pfn: number, count: number): number {
    return this.#ranges.pieces(pfn * PAGE_SIZE, count, PAGE_SIZE)
  }

  close(): void {
    this.#dump.file.close()
  }

  #page(start: number): Uint8Array | Missing {
    const end = start + PAGE_SIZE
    let page: Uint8Array | undefined
    let found = 0
    for (let at = start; at < end;) {
      const range = this.#ranges.endingAbove(at)
      if (range === undefined || range.start >= end) break
      const from = Math.max(at, range.start)
      const offset = range.offset + (from - range.start)
      const length = Math.min(range.end, end) - from
      const kept = length === PAGE_SIZE ? this.#cache.get(offset) : undefined
      if (kept !== undefined) return kept
      const there = Math.max(0, Math.min(length, this.#dump.file.size - offset))
      if (there < length) return this.#cutOff(found + there, offset)
      const bytes = this.#dump.file.read(offset, length, 'page data')
      if (length === PAGE_SIZE) return this.#cache.add(offset, bytes.slice())
      page ??= new Uint8Array(PAGE_SIZE)
      page.set(bytes, from - start)
      found += length
      at = from + length
    }
    return page !== undefined && found === PAGE_SIZE ? page : this.#outside(found)
  }

  #cutOff(found: number, offset: number): Missing {
    const cut = `the file ends at ${this.#dump.file.size}, before the page's data at ${offset}`
    return { why: 'lost', detail: inPart(found) + cut }
  }

  #outside(found: number): Missing {
    const { stopped, outside } = this.#dump
    if (stopped === undefined) return { why: 'hole', detail: inPart(found) + outside }
    return { why: 'lost', detail: `${inPart(found)}no range that was found has it: ${stopped}` }
  }
}

function inPart(found: number): string {
  return found > 0 ? `only ${found} of the page's ${PAGE_SIZE} bytes are in the file: ` : ''
}
