// SPDX-License-Identifier: GPL-2.0-or-later
// The rest of a file from some offset on, as a file of its own; and small numbers read from a file one after another.

import { FormatError } from '../errors.ts'
import { type FileBytes } from './file.ts'

/** A file from `base` to its end. Offsets in messages are those of the whole file. */
export function partOf(file: FileBytes, base: number): FileBytes {
  return {
    name: file.name,
    size: Math.max(0, file.size - base),
    read: (offset, length, what) => file.read(base + offset, length, what),
    close: () => {
      file.close()
    },
  }
}

const WINDOW = 256 << 10

/** Reads big-endian numbers and texts in order, and can go elsewhere. Throws FormatError at the file's end. */
export class FileCursor {
  /** The offset of the next byte. */
  at: number
  readonly file: FileBytes
  #start = 0
  #bytes: Uint8Array = new Uint8Array()
  #view = new DataView(this.#bytes.buffer)

  constructor(file: FileBytes, at = 0) {
    this.file = file
    this.at = at
  }

  u8(what: string): number {
    const from = this.#take(1, what)
    return this.#view.getUint8(from)
  }

  u16(what: string): number {
    const from = this.#take(2, what)
    return this.#view.getUint16(from)
  }

  u32(what: string): number {
    const from = this.#take(4, what)
    return this.#view.getUint32(from)
  }

  /** A 64-bit number; FormatError when it is above 2^53, which no offset or size can be. */
  u64(what: string): number {
    const from = this.#take(8, what)
    const value = this.#view.getUint32(from) * 2 ** 32 + this.#view.getUint32(from + 4)
    if (Number.isSafeInteger(value)) return value
    throw new FormatError(`${this.file.name}: ${what} at ${this.at - 8} is too large`, what)
  }

  /** A text whose length is in the byte before it, as QEMU writes names. */
  name(what: string): string {
    const length = this.u8(what)
    return this.text(length, what)
  }

  /** A text of so many bytes, at most 256 KiB. */
  text(length: number, what: string): string {
    const from = this.#take(length, what)
    return new TextDecoder('latin1').decode(this.#bytes.subarray(from, from + length))
  }

  /** Passes over bytes. Throws FormatError when the file ends before their end. */
  skip(length: number, what: string): void {
    if (this.at + length > this.file.size) this.file.read(this.at, length, what)
    this.at += length
  }

  #take(length: number, what: string): number {
    let from = this.at - this.#start
    if (from < 0 || from + length > this.#bytes.length) {
      const size = Math.max(length, Math.min(WINDOW, this.file.size - this.at))
      this.#bytes = this.file.read(this.at, size, what)
      this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, size)
      this.#start = this.at
      from = 0
    }
    this.at += length
    return from
  }
}
