// SPDX-License-Identifier: GPL-2.0-or-later
// A set of guest frames of one memslot, one bit each.

/** Guest frames in rising order; iterable, and small: a guest of 1 TiB takes 32 MiB. */
export class GfnSet implements Iterable<number> {
  /** The frame of the first bit. */
  readonly baseGfn: number
  /** How many frames it could hold. */
  readonly npages: number
  /** The frames in it. */
  readonly size: number
  /** What of it this dump lacks, one sentence each; empty for a whole dump. */
  readonly lost: readonly string[]
  readonly #bits: Uint8Array

  /** @internal `bits`: frame `baseGfn + i` is bit `i % 8` of byte `i / 8`; those behind `npages` do not count. */
  constructor(baseGfn: number, npages: number, bits: Uint8Array, lost: readonly string[] = []) {
    this.baseGfn = baseGfn
    this.npages = npages
    this.#bits = bits
    this.lost = Object.freeze([...lost])
    let size = 0
    for (let i = 0; i < npages; i += 8) {
      const byte = (bits[i >> 3] ?? 0) & (npages - i < 8 ? (1 << (npages - i)) - 1 : 0xff)
      for (let left = byte; left !== 0; left &= left - 1) size++
    }
    this.size = size
  }

  /** True when a frame is in it. */
  has(gfn: number): boolean {
    const i = gfn - this.baseGfn
    if (!Number.isInteger(i) || i < 0 || i >= this.npages) return false
    return (((this.#bits[Math.floor(i / 8)] ?? 0) >> (i % 8)) & 1) === 1
  }

  /** The frames, lowest first. */
  *[Symbol.iterator](): Generator<number> {
    for (let byte = 0; byte * 8 < this.npages; byte++) {
      if ((this.#bits[byte] ?? 0) === 0) continue
      for (let gfn = this.baseGfn + byte * 8, i = 0; i < 8; gfn++, i++) if (this.has(gfn)) yield gfn
    }
  }

  /** The frames as runs, and how many there are, for JSON. */
  toJSON(): { size: number; runs: { gfn: number; npages: number }[] } {
    const runs: { gfn: number; npages: number }[] = []
    for (const gfn of this) {
      const last = runs.at(-1)
      if (last !== undefined && last.gfn + last.npages === gfn) last.npages++
      else runs.push({ gfn, npages: 1 })
    }
    return { size: this.size, runs }
  }
}
