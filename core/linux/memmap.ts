// SPDX-License-Identifier: GPL-2.0-or-later
// The array of `struct page` in bulk: words of it by frame number, without a bigint or an object for each.

import { PAGE_SIZE } from '../dump/format.ts'
import { FaultError } from '../errors.ts'
import { type Host } from './host.ts'

/** Words of the array of `struct page` (vmemmap). Frames that follow each other cost a few nanoseconds each. */
export class Memmap {
  /** `sizeof(struct page)`. */
  readonly size: number
  readonly #host: Host
  #page = -1
  #view: DataView | undefined

  constructor(host: Host) {
    this.#host = host
    this.size = host.types.sizeOf('page') ?? 0
  }

  /** The unsigned 32-bit word at a byte offset in the `struct page` of a frame; -1 when the dump lacks it. */
  word(pfn: number, offset: number): number {
    const at = pfn * this.size + offset
    const page = Math.floor(at / PAGE_SIZE)
    if (page !== this.#page) this.#load(page)
    // Members are aligned, and so is the array: no word lies in two pages.
    return this.#view === undefined ? -1 : this.#view.getUint32(at - page * PAGE_SIZE, true)
  }

  #load(page: number): void {
    this.#page = page
    this.#view = undefined
    const { space, bases, memory } = this.#host
    try {
      const hpa = space.physical(bases.vmemmap + BigInt(page * PAGE_SIZE))
      const bytes = memory.tryPage(Math.floor(hpa / PAGE_SIZE))
      if (!(bytes instanceof Uint8Array)) return
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, PAGE_SIZE)
    } catch (error) {
      // No memory, no struct page: nothing maps that part of the array.
      if (!(error instanceof FaultError)) throw error
    }
  }
}
