// SPDX-License-Identifier: GPL-2.0-or-later
// A dump's bitmap of frames: is a frame's bit set, and how many are set below it.

import { type FileBytes } from './file.ts'

// 16 TiB of host memory are 512 MiB of bitmap, so only counts are kept: one number for a section of 65,536 frames
// (8 KiB of bitmap), and 16 bits for each 512 frames in it. That is 17 MiB for those 16 TiB.
const SECTION_BYTES = 8 << 10
const SECTION_BITS = SECTION_BYTES * 8
const BLOCK_BYTES = 64
const BLOCKS = SECTION_BYTES / BLOCK_BYTES

/**
 * One bitmap, least significant bit first. Nothing is read before the first question; `rank` counts from where the
 * last count ended up to the section it is asked for, once.
 */
export class Bitmap {
  readonly #file: FileBytes
  readonly #offset: number
  readonly #bytes: number
  readonly #what: string
  // Set bits before each section, and before each block within its section, as far as counted.
  readonly #before: number[] = [0]
  readonly #inSection: Uint16Array[] = []
  #view: DataView = new DataView(new ArrayBuffer(0))
  #viewed = -1

  /** The bitmap of `bytes` bytes at `offset`. `what` names it in errors. */
  constructor(file: FileBytes, offset: number, bytes: number, what: string) {
    this.#file = file
    this.#offset = offset
    this.#bytes = bytes
    this.#what = what
  }

  /** Whether the bit of a frame is set. Frames behind the bitmap's end have none. */
  has(pfn: number): boolean {
    if (pfn < 0 || pfn >= this.#bytes * 8) return false
    const section = Math.floor(pfn / SECTION_BITS)
    const bit = pfn - section * SECTION_BITS
    return ((this.#section(section).getUint8(bit >> 3) >> (bit & 7)) & 1) === 1
  }

  /** How many bits are set below a frame's. */
  rank(pfn: number): number {
    const end = Math.min(pfn, this.#bytes * 8)
    const section = Math.floor(end / SECTION_BITS)
    for (let next = this.#inSection.length; next <= section; next++) this.#count(next)
    const bit = end - section * SECTION_BITS
    const block = Math.floor(bit / (BLOCK_BYTES * 8))
    const view = this.#section(section)
    let sum = (this.#before[section] ?? 0) + (this.#inSection[section]?.[block] ?? 0)
    let at = block * BLOCK_BYTES
    for (; at + 4 <= bit >> 3; at += 4) sum += popcount(view.getUint32(at, true))
    for (; at < bit >> 3; at++) sum += popcount(view.getUint8(at))
    if ((bit & 7) !== 0) sum += popcount(view.getUint8(at) & ((1 << (bit & 7)) - 1))
    return sum
  }

  // Sections are counted in order, so the sum before this one is known.
  #count(section: number): void {
    const view = this.#section(section)
    const counts = new Uint16Array(BLOCKS)
    let sum = 0
    for (let block = 0; block < BLOCKS; block++) {
      counts[block] = sum
      const end = Math.min((block + 1) * BLOCK_BYTES, view.byteLength)
      let at = block * BLOCK_BYTES
      for (; at + 4 <= end; at += 4) sum += popcount(view.getUint32(at, true))
      for (; at < end; at++) sum += popcount(view.getUint8(at))
    }
    this.#inSection[section] = counts
    this.#before[section + 1] = (this.#before[section] ?? 0) + sum
  }

  #section(section: number): DataView {
    if (section === this.#viewed) return this.#view
    const at = section * SECTION_BYTES
    const length = Math.max(0, Math.min(SECTION_BYTES, this.#bytes - at))
    const bytes = this.#file.read(this.#offset + at, length, this.#what)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, length)
    this.#viewed = section
    return this.#view
  }
}

function popcount(word: number): number {
  let n = word - ((word >>> 1) & 0x55555555)
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333)
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
