// SPDX-License-Identifier: GPL-2.0-or-later
// ASCII text of many rows, put together in one buffer: numbers digit by digit, without a string for each.

import { type Sink } from './sink.ts'

const ROOM = 1 << 20
/** The longest row of any format is shorter. */
const MOST_ROW = 1024
const NONE = 0xffffffff

const digits = Uint8Array.from('0123456789abcdef', (letter) => letter.charCodeAt(0))

/** A text that goes to a sink piece by piece. */
export class TextRows {
  readonly #sink: Sink
  #buffer = new Uint8Array(ROOM)
  #used = 0

  constructor(sink: Sink) {
    this.#sink = sink
  }

  /** True when there may be no room for another row: then `flush` is due. */
  get isFull(): boolean {
    return this.#used > ROOM - MOST_ROW
  }

  async flush(): Promise<void> {
    if (this.#used === 0) return
    const piece = this.#buffer.subarray(0, this.#used)
    this.#used = 0
    await this.#sink.write(piece)
  }

  byte(code: number): void {
    this.#buffer[this.#used++] = code
  }

  bytes(text: Uint8Array | undefined): void {
    if (text === undefined) return
    this.#buffer.set(text, this.#used)
    this.#used += text.length
  }

  ascii(text: string): void {
    for (let i = 0; i < text.length; i++) this.byte(text.charCodeAt(i))
  }

  /** A number from 0 on, in decimal; nothing for a negative one. Gives whether there was one. */
  whole(value: number): boolean {
    if (value < 0) return false
    let count = 1
    for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) count++
    const end = this.#used + count
    let rest = value
    for (let at = end - 1; at >= this.#used; at--) {
      const less = Math.floor(rest / 10)
      this.#buffer[at] = 0x30 + rest - 10 * less
      rest = less
    }
    this.#used = end
    return true
  }

  /** A 64-bit number of a column of halves, exact; nothing where all bits are set. Gives whether there was one. */
  wide(halves: Uint32Array, i: number, form: 'hex' | 'decimal'): boolean {
    const low = halves[2 * i] ?? 0
    const high = halves[2 * i + 1] ?? 0
    if (low === NONE && high === NONE) return false
    if (form === 'decimal') {
      if (high < 2 ** 21) this.whole(high * 2 ** 32 + low)
      else this.ascii(String((BigInt(high) << 32n) + BigInt(low)))
      return true
    }
    this.byte(0x30)
    this.byte(0x78)
    const count = high === 0 ? nibbles(low) : 8 + nibbles(high)
    for (let place = count - 1; place >= 0; place--) {
      const word = place >= 8 ? high : low
      this.byte(digits[(word >>> (4 * (place & 7))) & 15] ?? 0)
    }
    return true
  }
}

function nibbles(word: number): number {
  return word === 0 ? 1 : 8 - (Math.clz32(word) >>> 2)
}
