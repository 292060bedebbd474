// SPDX-License-Identifier: GPL-2.0-or-later
// Bytes that come in pieces, taken out in any sizes, in memory of what has come and not of what was asked for.

import { FormatError } from '../errors.ts'

/** Takes bytes in order. Asks for the next piece only when it is needed: who writes it may wait for an answer. */
export class ByteQueue {
  /** How many bytes were taken so far. */
  taken = 0
  readonly #pieces: AsyncIterator<Uint8Array, unknown>
  #rest: Uint8Array = new Uint8Array(0)

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]()
  }

  /** So many bytes, or what there is up to the end, in an array of its own. */
  async upTo(length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = []
    let got = 0
    while (got < length && (await this.#fill())) {
      const part = this.#cut(length - got)
      parts.push(part)
      got += part.length
    }
    const bytes = new Uint8Array(got)
    let at = 0
    for (const part of parts) {
      bytes.set(part, at)
      at += part.length
    }
    return bytes
  }

  /** Exactly so many bytes. Throws FormatError, naming `what`, when the end comes before. */
  async exactly(length: number, what: string): Promise<Uint8Array> {
    const at = this.taken
    const bytes = await this.upTo(length)
    if (bytes.length === length) return bytes
    throw ended(what, length, bytes.length, at)
  }

  /** Leaves out so many bytes. */
  async skip(length: number): Promise<void> {
    const at = this.taken
    let left = length
    while (left > 0 && (await this.#fill())) left -= this.#cut(left).length
    if (left > 0) throw ended('the rest of a batch', length, length - left, at)
  }

  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const piece = await this.#pieces.next()
      if (piece.done === true) return false
      this.#rest = piece.value
    }
    return true
  }

  #cut(most: number): Uint8Array {
    const part = this.#rest.subarray(0, most)
    this.#rest = this.#rest.subarray(part.length)
    this.taken += part.length
    return part
  }
}

function ended(what: string, length: number, got: number, at: number): FormatError {
  return new FormatError(
    `${what} should have ${length} bytes from offset ${at} on, but the input ends after ${got} of them`,
    'length',
    at,
  )
}
