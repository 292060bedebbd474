// SPDX-License-Identifier: GPL-2.0-or-later
// Small numbers of Parquet: packed by bits, or one of them many times (parquet-format, Encodings.md, "RLE").

import { FormatError } from '../errors.ts'

/** Up to 32 bits from a place on, the lowest first. Throws FormatError behind the end. */
export function bitsAt(bytes: Uint8Array, bit: number, width: number): number {
  const start = Math.floor(bit / 8)
  const shift = bit % 8
  const end = start + Math.ceil((shift + width) / 8)
  if (end > bytes.length) {
    throw new FormatError(`a page of ${bytes.length} bytes ends inside its numbers`, 'page')
  }
  let value = 0
  for (let at = end - 1; at >= start; at--) value = value * 256 + (bytes[at] ?? 0)
  return Math.floor(value / 2 ** shift) % 2 ** width
}

/** A count in seven bits a byte, and where it ends. */
export function varintAt(bytes: Uint8Array, from: number): { value: number; end: number } {
  let value = 0
  for (let at = from; at < bytes.length && at < from + 5; at++) {
    const byte = bytes[at] ?? 0
    value += (byte & 0x7f) * 2 ** (7 * (at - from))
    if (byte < 0x80) return { value, end: at + 1 }
  }
  throw new FormatError(`a count at byte ${from} of a page does not end`, 'page')
}

/** Numbers in runs, one after the other: no run takes memory, however long it says it is. */
export class BitRuns {
  readonly #bytes: Uint8Array
  readonly #width: number
  #at = 0
  #left = 0
  #isPacked = false
  #value = 0
  #bit = 0

  constructor(bytes: Uint8Array, width: number) {
    if (width > 32) throw new FormatError(`numbers would have ${width} bits`, 'page')
    this.#bytes = bytes
    this.#width = width
  }

  /** The next number. Throws FormatError when there is none. */
  next(): number {
    while (this.#left === 0) this.#begin()
    this.#left--
    if (!this.#isPacked) return this.#value
    const value = bitsAt(this.#bytes, this.#bit, this.#width)
    this.#bit += this.#width
    return value
  }

  #begin(): void {
    const { value: head, end } = varintAt(this.#bytes, this.#at)
    this.#isPacked = head % 2 === 1
    const count = Math.floor(head / 2)
    if (this.#isPacked) {
      // Groups of eight, which have as many bytes as a number has bits.
      this.#left = 8 * count
      this.#bit = 8 * end
      this.#at = end + count * this.#width
    } else {
      this.#left = count
      const bytes = Math.ceil(this.#width / 8)
      this.#value = bitsAt(this.#bytes, 8 * end, 8 * bytes)
      this.#at = end + bytes
    }
  }
}
