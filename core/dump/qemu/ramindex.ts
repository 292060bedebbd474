// SPDX-License-Identifier: GPL-2.0-or-later
// Where each page of a guest's memory lies in a migration stream: 4 bytes a stored page, a bit a page of zeros.

/** 16 MiB of memory. */
const CHUNK_PAGES = 4096

/** What the index knows of a page: the file's offset of its bytes, or one of these. */
export const ABSENT = -1
export const ZERO = -2

/** Neighbours lie near each other in the file, so that offsets from the first of a chunk take 32 bits, mostly. */
interface Chunk {
  /** A bit a page: sent as zeros. */
  readonly zeros: Uint8Array
  base: number
  /** Offset from `base`, plus one; 0 when the page was not sent. */
  at: Uint32Array | Float64Array | undefined
}

/** Pages by number to their place in a file. A page that is sent again is where it was sent last. */
export class RamIndex {
  readonly #chunks: (Chunk | undefined)[]

  constructor(pages: number) {
    this.#chunks = Array<Chunk | undefined>(Math.ceil(pages / CHUNK_PAGES))
  }

  /** Notes that the bytes of a page are at an offset. */
  set(page: number, offset: number): void {
    const chunk = this.#chunk(page)
    const place = page % CHUNK_PAGES
    if (chunk.at === undefined) {
      chunk.base = offset
      chunk.at = new Uint32Array(CHUNK_PAGES)
    }
    const value = offset - chunk.base + 1
    // A machine that runs is sent again and again, gigabytes on.
    if (value > 0xffffffff && chunk.at instanceof Uint32Array)
      chunk.at = Float64Array.from(chunk.at)
    chunk.at[place] = value
    chunk.zeros[place >> 3] = (chunk.zeros[place >> 3] ?? 0) & ~(1 << (place & 7))
  }

  /** Notes that a page is all zeros. */
  setZero(page: number): void {
    const chunk = this.#chunk(page)
    const place = page % CHUNK_PAGES
    chunk.zeros[place >> 3] = (chunk.zeros[place >> 3] ?? 0) | (1 << (place & 7))
    if (chunk.at !== undefined) chunk.at[place] = 0
  }

  /** The offset of a page's bytes, `ZERO` or `ABSENT`. */
  get(page: number): number {
    const chunk = this.#chunks[Math.floor(page / CHUNK_PAGES)]
    if (chunk === undefined) return ABSENT
    const place = page % CHUNK_PAGES
    if (((chunk.zeros[place >> 3] ?? 0) & (1 << (place & 7))) !== 0) return ZERO
    const value = chunk.at?.[place] ?? 0
    return value === 0 ? ABSENT : chunk.base + value - 1
  }

  /** How many of `count` pages from `page` on were sent. */
  sent(page: number, count: number): number {
    const end = page + count
    let sent = 0
    for (let at = page; at < end;) {
      const index = Math.floor(at / CHUNK_PAGES)
      const next = Math.min(end, (index + 1) * CHUNK_PAGES)
      const chunk = this.#chunks[index]
      if (chunk !== undefined) sent += sentIn(chunk, at % CHUNK_PAGES, next - at)
      at = next
    }
    return sent
  }

  #chunk(page: number): Chunk {
    const index = Math.floor(page / CHUNK_PAGES)
    return (this.#chunks[index] ??= {
      zeros: new Uint8Array(CHUNK_PAGES / 8),
      base: 0,
      at: undefined,
    })
  }
}

function sentIn({ zeros, at }: Chunk, from: number, count: number): number {
  let sent = 0
  for (let place = from; place < from + count; place++) {
    const isZero = ((zeros[place >> 3] ?? 0) & (1 << (place & 7))) !== 0
    if (isZero || (at?.[place] ?? 0) !== 0) sent++
  }
  return sent
}
