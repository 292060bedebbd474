// SPDX-License-Identifier: GPL-2.0-or-later
// The memory that a compiled mapping lies in: 32-bit words that grow, which WebAssembly and other threads see too.

import { type WasmMemory, webAssembly } from './webassembly.ts'

/** WebAssembly counts in pages of 64 KiB. */
const WASM_PAGE = 0x10000
const WORDS_A_PAGE = WASM_PAGE / 4

/** What a 32-bit WebAssembly memory can have at most: 4 GiB. */
const MOST_PAGES = 65536

/** Words that are given out from the front and taken back all at once. */
export class WordMemory {
  /** Shared, so that workers translate over the very same tables. */
  readonly wasm: WasmMemory
  /** All words there are now. `reserve` replaces it: do not keep it over that. */
  words: Uint32Array
  readonly #most: number
  #used: number

  /** `mostWords` bounds it. Address space is reserved for all of it, memory only for what is used. */
  constructor(mostWords: number) {
    this.#most = Math.min(MOST_PAGES, Math.ceil(mostWords / WORDS_A_PAGE))
    this.wasm = new webAssembly.Memory({ initial: 1, maximum: this.#most, shared: true })
    this.words = new Uint32Array(this.wasm.buffer)
    // Word 0 stays unused: an index of 0 is none.
    this.#used = 16
  }

  /** The number of words in use. */
  get used(): number {
    return this.#used
  }

  /** The bytes in use. */
  get bytes(): number {
    return this.#used * 4
  }

  /** True when so many more words fit. */
  hasRoom(count: number): boolean {
    return this.#used + count <= this.#most * WORDS_A_PAGE
  }

  /** The index of `count` new words of 0, beginning at a multiple of 16. Ask `hasRoom` first. */
  reserve(count: number): number {
    // An interrupt can have struck between the two steps below.
    if (this.words.length * 4 !== this.wasm.buffer.byteLength) {
      this.words = new Uint32Array(this.wasm.buffer)
    }
    const at = this.#used
    const end = at + Math.ceil(count / 16) * 16
    const missing = Math.ceil(end / WORDS_A_PAGE) - this.words.length / WORDS_A_PAGE
    if (missing > 0) {
      // A sixteenth more than asked for, so that a large guest is not grown a thousand times.
      const all = this.words.length / WORDS_A_PAGE
      this.wasm.grow(Math.min(Math.max(missing, all >>> 4), this.#most - all))
      this.words = new Uint32Array(this.wasm.buffer)
    }
    this.#used = end
    return at
  }

  /** Takes back all words from index `used` on. */
  release(used: number): void {
    this.words.fill(0, used, this.#used)
    this.#used = used
  }
}
