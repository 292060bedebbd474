// SPDX-License-Identifier: GPL-2.0-or-later
// The kinds of frames that nobody has mapped, each looked up once, and kept in little memory.

import { DumpError } from '../errors.ts'
import { isRam, kernelKind, kindCode, type KindSources } from './kinds.ts'

/** Frames of a unit: so many of struct page, 64 bytes as a rule, lie in one page of memory. */
const UNIT = 64
/** Units of a chunk: 128 MiB of the host's memory have one. */
const CHUNK = 512
/** In the word of a unit: nothing is known. Words up to `MIXED` are the code of all its frames, plus 1. */
const NOTHING = 0
/** Above this a word is the number of the unit's codes among those of mixed units, plus 17. */
const MIXED = 16
/** In the codes of a unit: this frame was not asked for, and takes a closer look. */
const LATER = 0xff
const NOT_RAM = kindCode('not-ram')
const UNKNOWN = kindCode('unknown')

/** What `known` gives for a frame that was not looked up. */
export const NOT_KNOWN = -1

/** Tells kinds out of a few words; undefined for those that need a closer look. */
interface Quick {
  code(pfn: number, isWanted: boolean): number | undefined
}

/**
 * The kinds of frames that nobody has mapped. Frames are looked up by the unit, since their neighbours' struct pages lie
 * in the same page of memory. Kept are four bytes a unit, and its 64 codes where they are not all the same: much less
 * than a byte a frame, since free memory, and what is no memory, comes in large pieces.
 */
export class KernelKinds {
  readonly #back: KindSources
  readonly #quick: Quick
  readonly #chunks: (Uint32Array | undefined)[] = []
  #mixed = new Uint8Array(64 * UNIT)
  #mixedCount = 0
  readonly #unit = new Uint8Array(UNIT)

  constructor(back: KindSources, quick: Quick) {
    this.#back = back
    this.#quick = quick
  }

  /** The code of a frame, where it was looked up; else NOT_KNOWN. Reads nothing of the dump. */
  known(pfn: number): number {
    const unit = Math.floor(pfn / UNIT)
    const word = this.#chunks[Math.floor(unit / CHUNK)]?.[unit % CHUNK] ?? NOTHING
    if (word <= MIXED) return word - 1
    const code = this.#mixed[(word - MIXED - 1) * UNIT + (pfn % UNIT)] ?? LATER
    return code === LATER ? NOT_KNOWN : code
  }

  /**
   * The code of what a frame is; `unknown` when the dump lacks its `struct page`, or has it damaged. Ascending frames are
   * looked up fastest: each page of the dump is read once. An interrupt leaves what is known as it is.
   */
  code(pfn: number): number {
    const known = this.known(pfn)
    if (known !== NOT_KNOWN) return known
    // Nothing is kept of addresses that no host of this size has.
    if (pfn >= this.#back.endPfn) return this.#look(pfn)
    const unit = Math.floor(pfn / UNIT)
    const chunk = (this.#chunks[Math.floor(unit / CHUNK)] ??= new Uint32Array(CHUNK))
    if ((chunk[unit % CHUNK] ?? NOTHING) === NOTHING) {
      chunk[unit % CHUNK] = this.#lookAtUnit(unit * UNIT)
      const found = this.known(pfn)
      if (found !== NOT_KNOWN) return found
    }
    const code = this.#look(pfn)
    this.#mixed[((chunk[unit % CHUNK] ?? 0) - MIXED - 1) * UNIT + (pfn % UNIT)] = code
    return code
  }

  /** Bytes of memory that it takes. */
  get bytes(): number {
    return this.#mixed.length + Object.keys(this.#chunks).length * CHUNK * 4
  }

  /** The word of a unit of which nothing is known. */
  #lookAtUnit(first: number): number {
    const codes = this.#unit
    for (let i = 0; i < UNIT; i++) {
      const isThere = isRam(this.#back, first + i)
      codes[i] = isThere ? (this.#quick.code(first + i, false) ?? LATER) : NOT_RAM
    }
    const one = codes[0] ?? LATER
    if (one !== LATER && codes.every((code) => code === one)) return one + 1
    const at = this.#mixedCount
    if ((at + 1) * UNIT > this.#mixed.length) {
      const grown = new Uint8Array(2 * this.#mixed.length)
      grown.set(this.#mixed)
      this.#mixed = grown
    }
    this.#mixed.set(codes, at * UNIT)
    this.#mixedCount = at + 1
    return MIXED + 1 + at
  }

  #look(pfn: number): number {
    try {
      if (!isRam(this.#back, pfn)) return NOT_RAM
      const code = this.#quick.code(pfn, true)
      if (code !== undefined) return code
      return kindCode(kernelKind(this.#back, pfn, this.#back.linux.pages.at(pfn)))
    } catch (error) {
      if (!(error instanceof DumpError)) throw error
      return UNKNOWN
    }
  }
}
