// SPDX-License-Identifier: GPL-2.0-or-later
// The host's physical memory: pages of a dump by host physical address.

import { PAGE_SIZE, type Missing, type PageSource } from '../dump/format.ts'
import { FaultError } from '../errors.ts'

/** The host's physical memory as the dump has it. Addresses (hpa) are numbers: x86-64 ends at 2^52. */
export class PhysicalMemory {
  /** The dump's pages. */
  readonly source: PageSource

  constructor(source: PageSource) {
    this.source = source
  }

  /** The 4096 bytes of a frame (not to be written), or why the dump has none. */
  tryPage(pfn: number): Uint8Array | Missing {
    return this.source.page(pfn)
  }

  /** The 4096 bytes of a frame, not to be written. Throws FaultError, which tells `what` the page was for. */
  page(pfn: number, what?: string): Uint8Array {
    const page = this.source.page(pfn)
    if (page instanceof Uint8Array) return page
    const purpose = what === undefined ? '' : ` (needed for ${what})`
    throw new FaultError('physical', pfn * PAGE_SIZE, page.why, page.detail + purpose)
  }

  /** A copy of `length` bytes at a host physical address. Throws FaultError at the first page that is missing. */
  bytes(hpa: number, length: number, what?: string): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let done = 0; done < length;) {
      const pfn = Math.floor((hpa + done) / PAGE_SIZE)
      const from = (hpa + done) % PAGE_SIZE
      const part = this.page(pfn, what).subarray(from, from + length - done)
      bytes.set(part, done)
      done += part.length
    }
    return bytes
  }
}
