// SPDX-License-Identifier: GPL-2.0-or-later
// A guest's mapping compiled into words: directory, regions and leaves, read from the page tables when first needed.

import { UnsupportedError } from '../errors.ts'
import { type PrivateVisitor } from '../kvm/guestmemfd.ts'
import { LEAF_STATES, MIXED, type Places } from './kernels.ts'
import { LANE_WORDS, LANES } from './lane.ts'
import { WordMemory } from './memory.ts'
import { newScratch, packRegion, REGION, type Scratch, withoutFrame } from './region.ts'
import { NO_SLOT_INDEX, PENDING, WALK } from './states.ts'

/** A run of pages that is backed by a run of host virtual addresses. */
export interface MappedSlot {
  /** The first page and their number, in pages of 4 KiB. */
  readonly gfn: number
  readonly npages: number
  /** The host virtual address less the guest physical one, modulo 2^64. */
  readonly delta: bigint
  /** The slot's number, or -1. */
  readonly id: number
  /** Goes through pages from a guest physical address on, for slots that can have private ones (guest_memfd). */
  readonly scanPrivate?: (gpa: number, pages: number, visit: PrivateVisitor) => void
}

/** A page of a slot: the slot's number, and the page's. */
export interface SlotPage {
  readonly slot: number
  readonly gfn: number
}

/** Where pages are read from. */
export interface PageReader {
  /**
   * Reads `count` pages from page number `gfn` of slot number `slot` into `scratch`, from index `at` on. A whole region
   * that is alike may be said by `fillAlike`.
   */
  read(slot: number, gfn: number, count: number, scratch: Scratch, at: number): void
  /** Says that the regions of these pages, each with its slot, will be read next. */
  ahead?(pages: readonly SlotPage[]): void
  /** All was forgotten: what is kept beside the words for single pages can go, too. */
  forget(): void
}

/** KVM_MEM_SLOTS_NUM of include/linux/kvm_host.h is SHRT_MAX: a slot's number leaves the highest bit of a region free. */
const MOST_SLOTS = 0x7fff
/** Codes of states below this can be those of a whole region. */
const STATES = 10
/** Regions in a GiB, and words of them. */
const CHUNK = 512
const CHUNK_WORDS = 2 * CHUNK
const GIB_PAGES = 2 ** 18
const MOST_WORDS = 2 ** 30

/** A mapping of pages to frames, in words that the kernels understand. */
export class Mapping {
  readonly memory: WordMemory
  readonly places: Places
  /** The word index of the first lane. */
  readonly lanes: number
  readonly #slots: readonly MappedSlot[]
  readonly #reader: PageReader
  readonly #scratch = newScratch()
  readonly #directoryWords: number
  /** Chunks of regions that are all in no slot, and all not read yet. */
  readonly #none: number
  readonly #pending: number
  /** Where the leaves begin whose pages are all in one state. */
  readonly #alike: number
  readonly #start: number
  #built = 0

  /** `slots` are in the order of their pages and do not overlap. `outside` is the state of a page in none of them. */
  constructor(
    slots: readonly MappedSlot[],
    outside: number,
    reader: PageReader,
    mostWords = MOST_WORDS,
  ) {
    if (slots.length > MOST_SLOTS) {
      const what = `${slots.length} memslots in one address space (KVM has ${MOST_SLOTS} at most)`
      throw new UnsupportedError(`bulk translation cannot take ${what}`, what)
    }
    this.#slots = slots
    this.#reader = reader
    const last = slots.at(-1)
    const gibs = last === undefined ? 0 : Math.ceil((last.gfn + last.npages) / GIB_PAGES)
    this.#directoryWords = Math.ceil(gibs / 4) * 4
    const fixed =
      this.#directoryWords +
      LANE_WORDS * LANES +
      4 * slots.length +
      3 * CHUNK_WORDS +
      STATES * REGION
    const memory = new WordMemory(Math.min(mostWords, fixed + worstCase(slots)))
    this.memory = memory
    this.lanes = memory.reserve(LANE_WORDS * LANES)
    this.places = {
      slots: memory.reserve(4 * slots.length),
      directory: memory.reserve(this.#directoryWords),
      highEnd: this.#directoryWords / 4,
      outside,
    }
    this.#none = memory.reserve(CHUNK_WORDS)
    this.#pending = memory.reserve(CHUNK_WORDS)
    this.#alike = memory.reserve(STATES * REGION)
    this.#start = memory.used
    for (let i = 0; i < CHUNK; i++) {
      memory.words[this.#none + 2 * i + 1] = MIXED + (outside << 2)
      memory.words[this.#pending + 2 * i + 1] = PENDING_REGION
    }
    for (let state = 0; state < STATES; state++) {
      const at = this.#alike + state * REGION
      memory.words.fill(LEAF_STATES + state * 2 ** 24, at, at + REGION)
    }
    for (const [i, slot] of slots.entries()) {
      const at = this.places.slots + 4 * i
      memory.words[at] = Number(slot.delta & 0xffffffffn)
      memory.words[at + 1] = Number((slot.delta >> 32n) & 0xffffffffn)
      memory.words[at + 2] = slot.id >= 0 && slot.id < 0x8000 ? slot.id : 0xffff
    }
    this.#clear()
  }

  /** The bytes of the regions and leaves that were read so far. */
  get bytes(): number {
    return (this.memory.used - this.#start) * 4
  }

  /** The regions that were read so far. */
  get built(): number {
    return this.#built
  }

  /** True when the region of an address, given as its halves, has memory and was not read yet. */
  isPending(low: number, high: number): boolean {
    const gib = high * 4 + (low >>> 30)
    if (gib >= this.#directoryWords) return false
    const { words } = this.memory
    return (
      words[(words[this.places.directory + gib] ?? 0) + ((low >>> 20) & 0x3fe) + 1] ===
      PENDING_REGION
    )
  }

  /** Says that these regions, given by page numbers, will be built next. */
  ahead(gfns: readonly number[]): void {
    const pages: SlotPage[] = []
    for (const gfn of gfns) {
      for (const slot of this.#slotsIn(gfn, REGION)) {
        pages.push({ slot, gfn: Math.max(gfn, this.#slots[slot]?.gfn ?? 0) })
      }
    }
    this.#reader.ahead?.(pages)
  }

  /** Reads the region of an address, given as its halves, when that was not done. Gives whether it was read now. */
  build(low: number, high: number): boolean {
    const gib = high * 4 + (low >>> 30)
    if (gib >= this.#directoryWords) return false
    const { memory, places } = this
    if (!memory.hasRoom(CHUNK_WORDS + 2 * REGION)) this.#forget()
    let chunk = memory.words[places.directory + gib] ?? 0
    if (chunk === this.#none) return false
    if (chunk === this.#pending) {
      chunk = this.#newChunk(gib)
      memory.words[places.directory + gib] = chunk
    }
    const at = chunk + ((low >>> 20) & 0x3fe)
    if (memory.words[at + 1] !== PENDING_REGION) return false
    this.#read(gib * GIB_PAGES + ((low >>> 21) & 511) * REGION)
    packRegion(memory, at, this.#scratch, (state) => this.#alike + state * REGION)
    this.#built++
    return true
  }

  /**
   * The word of a page that is neither mapped nor all alike: for `swapped` the number of its entry. Undefined when the
   * region was not read.
   */
  wordOf(low: number, high: number): number | undefined {
    const { words } = this.memory
    const gib = high * 4 + (low >>> 30)
    if (gib >= this.#directoryWords) return undefined
    const at = (words[this.places.directory + gib] ?? 0) + ((low >>> 20) & 0x3fe)
    const kind = words[at + 1] ?? 0
    if ((kind & 1) === 0) return undefined
    const word = words[(words[at] ?? 0) + ((low >>> 12) & 511)]
    return word === undefined || kind >= MIXED ? word : word & 0xffffff
  }

  /** All slots that hold any of `count` pages from `gfn` on, by number. */
  *#slotsIn(gfn: number, count: number): Generator<number> {
    let from = 0
    for (let to = this.#slots.length; from < to;) {
      const middle = (from + to) >>> 1
      const slot = this.#slots[middle]
      if (slot !== undefined && slot.gfn + slot.npages <= gfn) from = middle + 1
      else to = middle
    }
    for (; from < this.#slots.length; from++) {
      const slot = this.#slots[from]
      if (slot === undefined || slot.gfn >= gfn + count) return
      yield from
    }
  }

  #read(gfn: number): void {
    const outside = withoutFrame(NO_SLOT_INDEX, this.places.outside)
    this.#scratch.low.fill(0)
    this.#scratch.more.fill(outside)
    this.#scratch.isAlike = false
    for (const i of this.#slotsIn(gfn, REGION)) {
      const slot = this.#slots[i]
      if (slot === undefined) continue
      const from = Math.max(gfn, slot.gfn)
      const count = Math.min(gfn + REGION, slot.gfn + slot.npages) - from
      // KVM demands pages; where memory is damaged, only a walk of each address can tell.
      if ((slot.delta & 0xfffn) !== 0n) {
        this.#scratch.more.fill(withoutFrame(i, WALK), from - gfn, from - gfn + count)
      } else {
        this.#reader.read(i, from, count, this.#scratch, from - gfn)
      }
    }
  }

  #newChunk(gib: number): number {
    const chunk = this.memory.reserve(CHUNK_WORDS)
    this.memory.words.copyWithin(chunk, this.#none, this.#none + CHUNK_WORDS)
    for (const i of this.#slotsIn(gib * GIB_PAGES, GIB_PAGES)) {
      const slot = this.#slots[i]
      if (slot === undefined) continue
      const from = Math.max(0, Math.floor((slot.gfn - gib * GIB_PAGES) / REGION))
      const to = Math.min(CHUNK, Math.ceil((slot.gfn + slot.npages - gib * GIB_PAGES) / REGION))
      for (let region = from; region < to; region++) {
        this.memory.words[chunk + 2 * region + 1] = PENDING_REGION
      }
    }
    return chunk
  }

  #clear(): void {
    const { memory, places } = this
    memory.words.fill(this.#none, places.directory, places.directory + this.#directoryWords)
    for (const { gfn, npages } of this.#slots) {
      const from = Math.floor(gfn / GIB_PAGES)
      const to = Math.ceil((gfn + npages) / GIB_PAGES)
      memory.words.fill(this.#pending, places.directory + from, places.directory + to)
    }
  }

  /** A guest of more than 4 TB in pages of 4 KiB does not fit: then all is read anew, as it is asked for. */
  #forget(): void {
    // In this order: wherever it is interrupted, the directory leads to nothing that is gone.
    this.#clear()
    this.#built = 0
    this.#reader.forget()
    this.memory.release(this.#start)
  }
}

/** In no slot, in the state PENDING. */
const PENDING_REGION = MIXED + (PENDING << 2)

/** Words that the regions of all slots can need: a chunk a GiB, and a wide leaf a region. */
function worstCase(slots: readonly MappedSlot[]): number {
  let words = 0
  for (const { npages } of slots) {
    words += (Math.ceil(npages / GIB_PAGES) + 1) * CHUNK_WORDS
    words += (Math.ceil(npages / REGION) + 1) * 2 * REGION
  }
  return words
}
