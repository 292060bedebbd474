// SPDX-License-Identifier: GPL-2.0-or-later
// The host's physical memory: pages of a dump by host physical address.

import { PAGE_SIZE, type Missing, type PageSource } from '../dump/format.ts'
import { FaultError } from '../errors.ts'

/** Says more of a page that is not there than the file can: undefined when there is nothing to say. */
export type Explain = (pfn: number, missing: Missing) => string | undefined

/** The host's physical memory as the dump has it. Addresses (hpa) are numbers: x86-64 ends at 2^52. */
export class PhysicalMemory {
  /** The dump's pages. */
  readonly source: PageSource
  /** The path that the dump was opened with, of several the first; null for pages that are no file's. */
  readonly path: string | null
  #explain: Explain | undefined

  constructor(source: PageSource, path: string | null = null) {
    this.source = source
    this.path = path
  }

  /** From now on the reason of each missing page has what `explain` knows of it behind it. */
  explainMissing(explain: Explain): void {
    this.#explain = explain
  }

  /** The 4096 bytes of a frame (not to be written), or why the dump has none. */
  tryPage(pfn: number): Uint8Array | Missing {
    const page = this.source.page(pfn)
    if (page instanceof Uint8Array || this.#explain === undefined) return page
    const more = this.#explain(pfn, page)
    return more === undefined ? page : { why: page.why, detail: `${page.detail}; ${more}` }
  }

  /** Says that these frames will be asked for soon: they may be unpacked side by side. */
  ahead(pfns: readonly number[]): void {
    this.source.ahead?.(pfns)
  }

  /** The 4096 bytes of a frame, not to be written. Throws FaultError, which tells `what` the page was for. */
  page(pfn: number, what?: string): Uint8Array {
    const page = this.tryPage(pfn)
    if (page instanceof Uint8Array) return page
    const purpose = what === undefined ? '' : ` (needed for ${what})`
    throw new FaultError('physical', pfn * PAGE_SIZE, page.why, page.detail + purpose)
  }

  /**
   * A copy of `length` bytes at a host physical address. Throws FaultError at the first page that is missing, which
   * says how many bytes before it are good.
   */
  bytes(hpa: number, length: number, what?: string): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let done = 0; done < length;) {
      const at = hpa + done
      const from = at % PAGE_SIZE
      const part = this.#pageAfter(at, done, length, what).subarray(from, from + length - done)
      bytes.set(part, done)
      done += part.length
    }
    return bytes
  }

  #pageAfter(at: number, done: number, length: number, what?: string): Uint8Array {
    try {
      return this.page(Math.floor(at / PAGE_SIZE), what)
    } catch (error) {
      const spans = done > 0 || (at % PAGE_SIZE) + length > PAGE_SIZE
      throw error instanceof FaultError && spans ? error.after(done, length) : error
    }
  }
}
