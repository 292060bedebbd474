// SPDX-License-Identifier: GPL-2.0-or-later
// Physical memory written by a test: sparse pages, words at addresses, and a text form for what is easier read.

import { PAGE_SIZE, type Missing, type PageSource } from '../../core/dump/format.ts'

/** Host memory that a test builds. A page exists from the moment that something is written to it. */
export class BuiltMemory implements PageSource {
  readonly facts = { format: 'built by a test', remarks: [] }
  readonly notes = []
  vmcoreinfo: string | undefined
  readonly #pages = new Map<number, Uint8Array>()
  readonly #missing = new Map<number, Missing>()

  get endPfn(): number {
    return Math.max(0, ...this.#pages.keys(), ...this.#missing.keys()) + 1
  }

  page(pfn: number): Uint8Array | Missing {
    const missing = this.#missing.get(pfn)
    if (missing !== undefined) return missing
    return this.#pages.get(pfn) ?? { why: 'hole', detail: 'the test wrote nothing there' }
  }

  /** Makes a page of zeros. */
  zero(hpa: number): this {
    this.#at(hpa)
    return this
  }

  /** Takes a page away again, for the given reason. */
  lose(hpa: number, missing: Missing): this {
    this.#missing.set(Math.floor(hpa / PAGE_SIZE), missing)
    return this
  }

  u64(hpa: number, value: bigint): this {
    for (let i = 0; i < 8; i++) this.u8(hpa + i, Number((value >> BigInt(8 * i)) & 0xffn))
    return this
  }

  u32(hpa: number, value: number): this {
    for (let i = 0; i < 4; i++) this.u8(hpa + i, (value >>> (8 * i)) & 0xff)
    return this
  }

  u8(hpa: number, value: number): this {
    this.#at(hpa)[hpa % PAGE_SIZE] = value
    return this
  }

  bytes(hpa: number, bytes: Uint8Array): this {
    bytes.forEach((value, i) => this.u8(hpa + i, value))
    return this
  }

  /**
   * Words as text, one run a line: `@16a400aff8: 8016a400e067 0*3 1000*2+1000`. An address in hex, then 64-bit words in
   * hex; `value*count` repeats a word, `value*count+step` counts up.
   */
  text(lines: string): this {
    for (const line of lines.trim().split('\n')) {
      const [, address, words] = /^\s*@([0-9a-f]+):\s*(.*)$/.exec(line) ?? []
      if (address === undefined || words === undefined) throw new Error(`not memory: ${line}`)
      let at = parseInt(address, 16)
      for (const word of words.trim().split(/\s+/)) {
        const [, value = '', count, step] =
          /^([0-9a-f]+)(?:\*(\d+)(?:\+([0-9a-f]+))?)?$/.exec(word) ?? []
        for (let i = 0n; i < BigInt(count ?? 1); i++) {
          this.u64(at, BigInt(`0x${value}`) + i * BigInt(`0x${step ?? '0'}`))
          at += 8
        }
      }
    }
    return this
  }

  close(): void {
    return
  }

  /** The frames that exist, in order. */
  pfns(): number[] {
    return [...this.#pages.keys()].filter((pfn) => !this.#missing.has(pfn)).sort((a, b) => a - b)
  }

  #at(hpa: number): Uint8Array {
    const pfn = Math.floor(hpa / PAGE_SIZE)
    let page = this.#pages.get(pfn)
    if (page === undefined) {
      page = new Uint8Array(PAGE_SIZE)
      this.#pages.set(pfn, page)
    }
    return page
  }
}
