// SPDX-License-Identifier: GPL-2.0-or-later
// A file read in aligned chunks, the last few of which are kept: few system calls for many small reads.

import { type FileBytes } from './file.ts'

/**
 * 8 KiB hold 341 page descriptors or two to ten pages. Random reads of a dump's pages run twice as fast as with 64 KiB,
 * since most of what a larger chunk brings is not asked for; reads in order lose nothing that can be measured.
 */
export const CHUNK_BYTES = 8 << 10

/** A file behind a cache of its chunks. What it hands out is not to be written and stays valid. */
export class ChunkedFile implements FileBytes {
  readonly name: string
  readonly size: number
  readonly #file: FileBytes
  readonly #limit: number
  // In the order of use, oldest first.
  readonly #chunks = new Map<number, Uint8Array>()
  #last: Uint8Array = new Uint8Array()
  #lastIndex = -1

  /** At most `limit` chunks of `CHUNK_BYTES` are kept. */
  constructor(file: FileBytes, limit: number) {
    this.name = file.name
    this.size = file.size
    this.#file = file
    this.#limit = limit
  }

  read(offset: number, length: number, what: string): Uint8Array {
    const index = Math.floor(offset / CHUNK_BYTES)
    const from = offset - index * CHUNK_BYTES
    // Offsets that are no offsets, and ends behind the file's, get the file's own message.
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size) || length > CHUNK_BYTES) {
      return this.#file.read(offset, length, what)
    }
    if (from + length <= CHUNK_BYTES) return this.#chunk(index, what).subarray(from, from + length)
    const bytes = new Uint8Array(length)
    const first = this.#chunk(index, what).subarray(from)
    bytes.set(first)
    bytes.set(this.#chunk(index + 1, what).subarray(0, length - first.length), first.length)
    return bytes
  }

  close(): void {
    this.#chunks.clear()
    this.#file.close()
  }

  #chunk(index: number, what: string): Uint8Array {
    if (index === this.#lastIndex) return this.#last
    let chunk = this.#chunks.get(index)
    if (chunk === undefined) {
      const at = index * CHUNK_BYTES
      chunk = this.#file.read(at, Math.min(CHUNK_BYTES, this.size - at), what)
      if (this.#chunks.size >= this.#limit) {
        const [oldest] = this.#chunks.keys()
        if (oldest !== undefined) this.#chunks.delete(oldest)
      }
    } else {
      this.#chunks.delete(index)
    }
    this.#chunks.set(index, chunk)
    this.#last = chunk
    this.#lastIndex = index
    return chunk
  }
}
