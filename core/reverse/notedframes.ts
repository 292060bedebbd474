// SPDX-License-Identifier: GPL-2.0-or-later
// From a frame number to the numbers that were noted for it: usually one, a list where several share the frame.

/** Frames in a block: 16 KiB of words, made when the first of its frames is noted. */
const BLOCK = 4096
/** In the word of a frame: the rest is the number of a list, not the noted number itself. */
const IS_LIST = 0x80000000
/** Noted numbers are below this. */
export const MOST_NOTED = 0x7fffffff

/**
 * Two levels by frame number, four bytes for each frame of a block that is in use. A word is 0 (nothing), the noted
 * number plus one, or the number of a list in the upper half.
 */
export class NotedFrames {
  readonly #blocks = new Map<number, Uint32Array>()
  /** Three words for each link: the noted number, the next link or 0, and how many there are from here on. */
  #links = new Uint32Array(3 * 1024)
  #linkCount = 1
  #lastNumber = -1
  #lastBlock: Uint32Array | undefined

  /** Notes a number, below MOST_NOTED, for a frame. */
  add(frame: number, noted: number): void {
    const number = Math.floor(frame / BLOCK)
    const block = this.#blockOf(number) ?? this.#newBlock(number)
    const at = frame - number * BLOCK
    const word = block[at] ?? 0
    if (word === 0) block[at] = noted + 1
    else {
      const rest = word >= IS_LIST ? word - IS_LIST : this.#link(word - 1, 0)
      block[at] = IS_LIST + this.#link(noted, rest)
    }
  }

  /** The number that was noted last for a frame, or -1. */
  last(frame: number): number {
    const word = this.#word(frame)
    return word >= IS_LIST ? (this.#links[3 * (word - IS_LIST)] ?? 0) : word - 1
  }

  /** How many numbers were noted for a frame. */
  count(frame: number): number {
    const word = this.#word(frame)
    if (word < IS_LIST) return word === 0 ? 0 : 1
    return this.#links[3 * (word - IS_LIST) + 2] ?? 0
  }

  /** All numbers that were noted for a frame, in the order in which they were. */
  all(frame: number): number[] {
    const word = this.#word(frame)
    if (word < IS_LIST) return word === 0 ? [] : [word - 1]
    const found: number[] = []
    for (let link = word - IS_LIST; link !== 0; link = this.#links[3 * link + 1] ?? 0) {
      found.push(this.#links[3 * link] ?? 0)
    }
    return found.reverse()
  }

  /** Each frame for which anything was noted, ascending. */
  *frames(): Generator<number> {
    for (const number of [...this.#blocks.keys()].sort((a, b) => a - b)) {
      const block = this.#blocks.get(number) ?? []
      for (let at = 0; at < BLOCK; at++) if (block[at] !== 0) yield number * BLOCK + at
    }
  }

  /** Bytes of memory that it takes. */
  get bytes(): number {
    return this.#blocks.size * BLOCK * 4 + this.#links.byteLength
  }

  #word(frame: number): number {
    const number = Math.floor(frame / BLOCK)
    const block = this.#blockOf(number)
    return block === undefined ? 0 : (block[frame - number * BLOCK] ?? 0)
  }

  #blockOf(number: number): Uint32Array | undefined {
    if (number !== this.#lastNumber) {
      this.#lastNumber = number
      this.#lastBlock = this.#blocks.get(number)
    }
    return this.#lastBlock
  }

  #newBlock(number: number): Uint32Array {
    const block = new Uint32Array(BLOCK)
    this.#blocks.set(number, block)
    this.#lastBlock = block
    return block
  }

  #link(noted: number, next: number): number {
    const link = this.#linkCount++
    if (3 * link === this.#links.length) {
      const grown = new Uint32Array(2 * this.#links.length)
      grown.set(this.#links)
      this.#links = grown
    }
    this.#links[3 * link] = noted
    this.#links[3 * link + 1] = next
    this.#links[3 * link + 2] = 1 + (next === 0 ? 0 : (this.#links[3 * next + 2] ?? 0))
    return link
  }
}
