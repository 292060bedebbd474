// SPDX-License-Identifier: GPL-2.0-or-later
// The array of `struct page` in bulk: words of it by frame number, without a bigint or an object for each.

import { PAGE_SIZE } from '../dump/format.ts'
import { type Host } from './host.ts'

/** Pages of the array that are looked up in the page tables at once: as a rule one large page of 2 MiB holds them. */
const PAGES_A_PART = 512

/** One `struct page` after the other out of their array (vmemmap). Neighbours cost a few nanoseconds each. */
export class Memmap {
  /** `sizeof(struct page)`. */
  readonly size: number
  readonly #host: Host
  #page = -1
  #part = -1
  #frames: Float64Array = new Float64Array()
  #loaded: DataView | undefined
  /** The bytes that the last `seek` went to, and where in them its `struct page` begins. */
  #view: DataView
  #at = 0
  /** For one that lies in two pages: its size need not be a power of two. */
  readonly #cut: DataView

  constructor(host: Host) {
    this.#host = host
    this.size = host.types.sizeOf('page') ?? 0
    this.#cut = new DataView(new ArrayBuffer(this.size))
    this.#view = this.#cut
  }

  /** Goes to the `struct page` of a frame. False when the dump lacks it; then nothing must be read. */
  seek(pfn: number): boolean {
    const start = pfn * this.size
    const page = Math.floor(start / PAGE_SIZE)
    if (page !== this.#page) this.#load(page)
    if (this.#loaded === undefined) return false
    this.#view = this.#loaded
    this.#at = start - page * PAGE_SIZE
    return this.#at + this.size <= PAGE_SIZE || this.#join(page)
  }

  /** The unsigned 32-bit word at a byte offset in the `struct page` that was gone to. */
  u32(offset: number): number {
    return this.#view.getUint32(this.#at + offset, true)
  }

  #join(page: number): boolean {
    const here = PAGE_SIZE - this.#at
    for (let i = 0; i < here; i++) this.#cut.setUint8(i, this.#view.getUint8(this.#at + i))
    this.#load(page + 1)
    if (this.#loaded === undefined) return false
    for (let i = here; i < this.size; i++) this.#cut.setUint8(i, this.#loaded.getUint8(i - here))
    this.#view = this.#cut
    this.#at = 0
    return true
  }

  /** Nothing is kept of a load that is interrupted. */
  #load(page: number): void {
    this.#page = -1
    const frame = this.#frame(page)
    const bytes = frame < 0 ? undefined : this.#host.memory.tryPage(frame)
    this.#loaded =
      bytes instanceof Uint8Array
        ? new DataView(bytes.buffer, bytes.byteOffset, PAGE_SIZE)
        : undefined
    this.#page = page
  }

  /** The frame of a page of the array, or -1: where there is no memory, nothing maps its part of the array. */
  #frame(page: number): number {
    const part = Math.floor(page / PAGES_A_PART)
    if (part !== this.#part) {
      const { space, bases } = this.#host
      const first = bases.vmemmap + BigInt(part * PAGES_A_PART * PAGE_SIZE)
      this.#frames = space.frames(first, PAGES_A_PART)
      this.#part = part
    }
    return this.#frames[page - part * PAGES_A_PART] ?? -1
  }
}
