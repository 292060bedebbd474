// SPDX-License-Identifier: GPL-2.0-or-later
// A dump's bitmap of frames: is a frame's bit set, how many are set below it, and where the runs of them are.

import { type FileBytes } from '../file.ts'
import { type FrameRange } from '../format.ts'

// 16 TiB of host memory are 512 MiB of bitmap, so only counts are kept: one number for a section of 65,536 frames
// (8 KiB of bitmap), and 16 bits for each 512 frames in it. That is 17 MiB for those 16 TiB.
const SECTION_BYTES = 8 << 10
const SECTION_BITS = SECTION_BYTES * 8
const BLOCK_BYTES = 64
const BLOCKS = SECTION_BYTES / BLOCK_BYTES
/** Sections that are read and counted at once. */
const BATCH = 128

// Most sections of a large bitmap are these: memory that is not there or left out, and memory that is. To compare is
// ten times as fast as to count.
const noBits = new Uint8Array(SECTION_BYTES)
const allBits = new Uint8Array(SECTION_BYTES).fill(0xff)

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
  readonly #inSections: Uint16Array[] = []
  #counted = 0
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
    while (this.#counted <= section) this.#count(section)
    const bit = end - section * SECTION_BITS
    const block = Math.floor(bit / (BLOCK_BYTES * 8))
    const view = this.#section(section)
    const counts = this.#inSections[Math.floor(section / BATCH)]
    let sum = (this.#before[section] ?? 0) + (counts?.[(section % BATCH) * BLOCKS + block] ?? 0)
    let at = block * BLOCK_BYTES
    for (; at + 4 <= bit >> 3; at += 4) sum += popcount(view.getUint32(at, true))
    for (; at < bit >> 3; at++) sum += popcount(view.getUint8(at))
    if ((bit & 7) !== 0) sum += popcount(view.getUint8(at) & ((1 << (bit & 7)) - 1))
    return sum
  }

  /** The runs of set bits below a frame, in ascending order. Reads the bitmap up to there, and keeps nothing. */
  *runs(end: number): Generator<FrameRange> {
    const bytes = Math.min(this.#bytes, Math.ceil(end / 8))
    let from = -1
    for (let at = 0; at < bytes; at += SECTION_BYTES) {
      const part = this.#file.read(
        this.#offset + at,
        Math.min(SECTION_BYTES, bytes - at),
        this.#what,
      )
      if (isAll(part, from < 0 ? noBits : allBits)) continue
      for (let i = 0; i < part.length; i++) {
        const byte = part[i] ?? 0
        if (byte === (from < 0 ? 0 : 0xff)) continue
        for (let bit = 0; bit < 8; bit++) {
          const set = ((byte >> bit) & 1) === 1
          if (set === from >= 0) continue
          const pfn = (at + i) * 8 + bit
          if (!set && from < end) yield [from, Math.min(pfn, end)]
          from = set ? pfn : -1
        }
      }
    }
    if (from >= 0 && from < end) yield [from, Math.min(bytes * 8, end)]
  }

  // Counts the next batch of sections, up to the one that is wanted: in order, so the sum before each is known.
  #count(wanted: number): void {
    const first = this.#counted
    const batch = Math.floor(first / BATCH)
    const end = Math.min(wanted + 1, (batch + 1) * BATCH)
    const at = first * SECTION_BYTES
    const length = Math.max(0, Math.min((end - first) * SECTION_BYTES, this.#bytes - at))
    const bytes = this.#file.read(this.#offset + at, length, this.#what)
    const counts = (this.#inSections[batch] ??= new Uint16Array(BATCH * BLOCKS))
    for (let section = first; section < end; section++) {
      const from = (section - first) * SECTION_BYTES
      const part = bytes.subarray(from, from + SECTION_BYTES)
      const inSection = counts.subarray(
        (section % BATCH) * BLOCKS,
        ((section % BATCH) + 1) * BLOCKS,
      )
      this.#before[section + 1] = (this.#before[section] ?? 0) + countSection(part, inSection)
    }
    this.#counted = end
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

/** Fills in how many bits are set before each block, and gives how many there are. */
function countSection(part: Uint8Array, before: Uint16Array): number {
  if (isAll(part, noBits)) return 0
  if (part.length === SECTION_BYTES && isAll(part, allBits)) {
    for (let block = 0; block < BLOCKS; block++) before[block] = block * BLOCK_BYTES * 8
    return SECTION_BITS
  }
  const words = wordsOf(part)
  const step = BLOCK_BYTES / 4
  let sum = 0
  for (let block = 0; block < BLOCKS; block++) {
    before[block] = sum
    const end = Math.min((block + 1) * step, words.length)
    for (let i = block * step; i < end; i++) sum += popcount(words[i] ?? 0)
  }
  return sum
}

function isAll(part: Uint8Array, pattern: Uint8Array): boolean {
  return Buffer.compare(part, pattern.subarray(0, part.length)) === 0
}

/** The bytes as 32-bit words, in whatever order: to be counted. Zeros fill the last one. */
function wordsOf(bytes: Uint8Array): Int32Array {
  const count = Math.ceil(bytes.length / 4)
  if (bytes.byteOffset % 4 === 0 && bytes.length % 4 === 0) {
    return new Int32Array(bytes.buffer, bytes.byteOffset, count)
  }
  const words = new Int32Array(count)
  new Uint8Array(words.buffer).set(bytes)
  return words
}

function popcount(word: number): number {
  let n = word - ((word >>> 1) & 0x55555555)
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333)
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
