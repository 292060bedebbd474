// SPDX-License-Identifier: GPL-2.0-or-later
// Decoded pages by file offset, within a budget of bytes; pages of zeros are one page.

import { PAGE_SIZE } from './format.ts'

/** The page of zeros that all pages of zeros are. */
export const zeroPage: Uint8Array = new Uint8Array(PAGE_SIZE)

/** 64 MiB: the page tables and structures of a big guest's translation many times over. */
export const DEFAULT_CACHE_BYTES = 64 << 20

// What a Map entry and its key cost, about: bounds the number of zero pages, which have no bytes of their own.
const ENTRY_BYTES = 64

/**
 * Two generations: new and used pages are in the young one; when that holds half of the budget it becomes the old
 * one, and the old one is dropped. So a hit costs one look-up, and a page used within the last half budget stays.
 * A dropped page's array is not reused: who still holds it can go on reading it.
 */
export class PageCache {
  readonly #half: number
  #young = new Map<number, Uint8Array>()
  #old = new Map<number, Uint8Array>()
  #bytes = 0

  constructor(budget = DEFAULT_CACHE_BYTES) {
    this.#half = budget / 2
  }

  /** The page whose data lie at this file offset, if it is here. */
  get(offset: number): Uint8Array | undefined {
    const page = this.#young.get(offset)
    if (page !== undefined) return page
    const used = this.#old.get(offset)
    if (used !== undefined) this.#keep(offset, used)
    return used
  }

  /** True when the page is here; it does not count as used. */
  has(offset: number): boolean {
    return this.#young.has(offset) || this.#old.has(offset)
  }

  /** Keeps a page, and gives it back; for a page of zeros gives the shared one. */
  add(offset: number, page: Uint8Array): Uint8Array {
    const kept = isZero(page) ? zeroPage : page
    this.#keep(offset, kept)
    return kept
  }

  #keep(offset: number, page: Uint8Array): void {
    const cost = ENTRY_BYTES + (page === zeroPage ? 0 : page.length)
    if (this.#bytes + cost > this.#half) {
      this.#old = this.#young
      this.#young = new Map()
      this.#bytes = 0
    }
    this.#young.set(offset, page)
    this.#bytes += cost
  }
}

/** Whether all of a page's bytes are zero. */
export function isZero(page: Uint8Array): boolean {
  if (page[0] !== 0 || page[page.length - 1] !== 0) return false
  for (const byte of page) if (byte !== 0) return false
  return true
}
