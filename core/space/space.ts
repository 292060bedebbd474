// SPDX-License-Identifier: GPL-2.0-or-later
// A virtual address space that can be read: integers, bytes and texts at addresses.

import { PAGE_SIZE } from '../dump/format.ts'
import { FaultError } from '../errors.ts'

const PAGE_MASK = 0xfffn

/**
 * Memory by virtual address, little-endian. Every read throws FaultError when a page is not there.
 * The last page is kept, since reads of one structure stay in one page.
 */
export abstract class Space {
  /** The name in error messages, such as `kernel virtual`. */
  abstract readonly name: string
  #lastPage = -1n
  #lastView: DataView = new DataView(new ArrayBuffer(0))

  /** The 4096 bytes of the page at a page-aligned address, or a throw of FaultError. */
  protected abstract pageAt(address: bigint): Uint8Array

  /** An unsigned byte. */
  u8(address: bigint): number {
    return this.#view(address).getUint8(Number(address & PAGE_MASK))
  }

  /** An unsigned 16-bit integer. */
  u16(address: bigint): number {
    return this.#number(address, 2)
  }

  /** An unsigned 32-bit integer. */
  u32(address: bigint): number {
    return this.#number(address, 4)
  }

  /** A signed 32-bit integer. */
  i32(address: bigint): number {
    return this.#number(address, 4) | 0
  }

  /** An unsigned 64-bit integer. */
  u64(address: bigint): bigint {
    const at = Number(address & PAGE_MASK)
    if (at <= PAGE_SIZE - 8) return this.#view(address).getBigUint64(at, true)
    return new DataView(this.bytes(address, 8).buffer).getBigUint64(0, true)
  }

  /** A copy of `length` bytes. A fault behind the first page says how many bytes before it are good. */
  bytes(address: bigint, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let done = 0; done < length;) {
      const at = address + BigInt(done)
      const view = this.#viewAfter(at, done, length)
      const from = Number(at & PAGE_MASK)
      const count = Math.min(PAGE_SIZE - from, length - done)
      bytes.set(new Uint8Array(view.buffer, view.byteOffset + from, count), done)
      done += count
    }
    return bytes
  }

  /** A NUL-ended text of at most `limit` bytes, read as UTF-8; without a NUL the first `limit` bytes. */
  text(address: bigint, limit = 4096): string {
    const parts: Uint8Array[] = []
    for (let done = 0; done < limit;) {
      const at = address + BigInt(done)
      const count = Math.min(PAGE_SIZE - Number(at & PAGE_MASK), limit - done)
      const part = this.bytes(at, count)
      const end = part.indexOf(0)
      parts.push(end < 0 ? part : part.subarray(0, end))
      if (end >= 0) break
      done += count
    }
    const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    let at = 0
    for (const part of parts) {
      all.set(part, at)
      at += part.length
    }
    return new TextDecoder().decode(all)
  }

  #number(address: bigint, size: 2 | 4): number {
    const at = Number(address & PAGE_MASK)
    const inPage = at <= PAGE_SIZE - size
    const view = inPage ? this.#view(address) : new DataView(this.bytes(address, size).buffer)
    return size === 2
      ? view.getUint16(inPage ? at : 0, true)
      : view.getUint32(inPage ? at : 0, true)
  }

  #viewAfter(address: bigint, done: number, length: number): DataView {
    try {
      return this.#view(address)
    } catch (error) {
      const spans = done > 0 || Number(address & PAGE_MASK) + length > PAGE_SIZE
      throw error instanceof FaultError && spans ? error.after(done, length) : error
    }
  }

  #view(address: bigint): DataView {
    const page = address & ~PAGE_MASK
    if (page !== this.#lastPage) {
      const bytes = this.pageAt(page)
      this.#lastView = new DataView(bytes.buffer, bytes.byteOffset, PAGE_SIZE)
      this.#lastPage = page
    }
    return this.#lastView
  }
}
