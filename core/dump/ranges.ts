// SPDX-License-Identifier: GPL-2.0-or-later
// Ranges of physical memory and where their bytes lie in a file: sorted, without overlaps.

import { type FrameRange, PAGE_SIZE } from './format.ts'

/** Physical addresses from `start` to below `end`, whose bytes begin at `offset` of the file. */
export interface Range {
  readonly start: number
  readonly end: number
  readonly offset: number
}

/** Ranges to look addresses up in. Where given ranges overlap, the one that starts first keeps the bytes. */
export class Ranges {
  /** All of them, in ascending order. */
  readonly list: readonly Range[]

  constructor(ranges: Iterable<Range>) {
    const list: Range[] = []
    let end = 0
    for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
      const start = Math.max(range.start, end)
      if (start >= range.end) continue
      list.push({ start, end: range.end, offset: range.offset + (start - range.start) })
      end = range.end
    }
    this.list = list
  }

  /** The end of the last range, or 0. */
  get end(): number {
    return this.list.at(-1)?.end ?? 0
  }

  /** The first range that ends above an address: it holds the address, or lies behind it. */
  endingAbove(address: number): Range | undefined {
    let low = 0
    let high = this.list.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.list[middle]?.end ?? 0) > address) high = middle
      else low = middle + 1
    }
    return this.list[low]
  }

  /** The frames that a range has some byte of, as runs in ascending order. */
  *frames(): Generator<FrameRange> {
    let [from, to] = [0, 0]
    for (const { start, end } of this.list) {
      const first = Math.floor(start / PAGE_SIZE)
      // A page may be put together of several ranges.
      if (first > to) {
        if (to > from) yield [from, to]
        from = first
      }
      to = Math.ceil(end / PAGE_SIZE)
    }
    if (to > from) yield [from, to]
  }

  /** How many of `count` pieces of `size` bytes from `start` on lie in the ranges whole, if in several of them. */
  pieces(start: number, count: number, size: number): number {
    const end = start + count * size
    let whole = 0
    let from = start
    for (let at = start; at < end;) {
      const range = this.endingAbove(at)
      const next = Math.min(range?.start ?? end, end)
      if (next > at) {
        whole += Math.max(0, Math.floor((at - start) / size) - Math.ceil((from - start) / size))
        from = next
      }
      at = Math.max(next, Math.min(range?.end ?? end, end))
    }
    return whole + Math.max(0, count - Math.ceil((from - start) / size))
  }

  /** Whether some byte from `start` to below `end` is in a range. */
  touch(start: number, end: number): boolean {
    const range = this.endingAbove(start)
    return range !== undefined && range.start < end
  }
}
