// SPDX-License-Identifier: GPL-2.0-or-later
// One region of 2 MiB of guest memory: read page by page, and packed into as few words as it takes.

import { LEAF_STATES, MIXED } from './kernels.ts'
import { type WordMemory } from './memory.ts'
import { NO_SLOT_INDEX, SWAPPED, WALK } from './states.ts'

/** Pages of 4 KiB in a region. */
export const REGION = 512

/** In the second word of a page: bits 0 to 15 the slot, 16 and 17 the page size, 20 to 23 the state, 24 to 31 frame bits 32 to 39. */
export const HAS_FRAME = 0x40000

/** The pages of one region as they were read: two words for each. */
export interface Scratch {
  /** The lower 32 bits of the frame, or for `swapped` the number of the entry that is kept beside. */
  readonly low: Uint32Array
  /** Slot, page size, state and the upper bits of the frame. */
  readonly more: Uint32Array
  /** Only page 0 was filled in: the others are of the same kind, with the frames that follow. */
  isAlike: boolean
}

/**
 * Says in one step that all pages of a region are of one kind, with frames that follow each other from `low` on. Gives
 * false, and does nothing, when that does not fit into two words: then each page is to be filled in.
 */
export function fillAlike(scratch: Scratch, low: number, more: number): boolean {
  const state = (more >>> 20) & 15
  const isMapped = state === 0 && more >>> 24 === 0 && low + REGION <= 2 ** 32
  const isState = (more & HAS_FRAME) === 0 && canBeAlike(state)
  if (!isMapped && !isState) return false
  scratch.low[0] = low
  scratch.more[0] = more
  scratch.isAlike = true
  return true
}

/** A swapped page has the number of its entry beside; of one to be walked each row is to be told. */
function canBeAlike(state: number): boolean {
  return state !== 0 && state !== SWAPPED && state !== WALK
}

/** Room for the pages of a region. */
export function newScratch(): Scratch {
  return { low: new Uint32Array(REGION), more: new Uint32Array(REGION), isAlike: false }
}

/** The second word of a page with a frame; `size` is 0, 1, 2 for 4 KiB, 2 MiB, 1 GiB. */
export function withFrame(slot: number, size: number, state: number, frame: number): number {
  const high = Math.floor(frame / 2 ** 32)
  return (slot | (size << 16) | HAS_FRAME | (state << 20) | (high << 24)) >>> 0
}

/** The second word of a page without one. */
export function withoutFrame(slot: number, state: number): number {
  return slot | (state << 20)
}

/**
 * Writes the two words of a region, and its leaf where it needs one, in the smallest form that holds it all. The second
 * word has the slot (bits 16 to 31), the page shift (8 to 12), and whether there is a leaf (bit 0):
 * - extent: frames that follow each other. The first word is the first of them
 * - leaf: the first word is the index of 512 words, a frame or from LEAF_STATES on a state (bits 24 to 27) with the
 *   number of a swap entry (bits 0 to 23). Slot and page size are those of the region
 * - all pages in one state, none with a frame: as a leaf, at `alike(state)`, that such regions have together
 * - slot 0xffff, wide leaf: 512 more words have slot, page size, state and upper frame bits of each page
 * - slot 0xffff without a leaf: no page is in a slot. Bits 2 to 5 are the state
 */
export function packRegion(
  memory: WordMemory,
  at: number,
  scratch: Scratch,
  alike: (state: number) => number,
): void {
  const { low, more } = scratch
  const first = more[0] ?? 0
  const slot = first & 0xffff
  const size = sizeOfMapped(scratch)
  const kind = kindOf(scratch, slot, size)
  const word = ((slot << 16) | ((12 + 9 * size) << 8)) >>> 0
  if (kind === 'extent') {
    memory.words[at] = low[0] ?? 0
    memory.words[at + 1] = word
  } else if (kind === 'state') {
    memory.words[at] = alike((first >>> 20) & 15)
    memory.words[at + 1] = word | 1
  } else if (kind === 'leaf') {
    const leaf = memory.reserve(REGION)
    for (let page = 0; page < REGION; page++) {
      const state = ((more[page] ?? 0) >>> 20) & 15
      const value = low[page] ?? 0
      memory.words[leaf + page] = state === 0 ? value : LEAF_STATES + state * 2 ** 24 + value
    }
    memory.words[at] = leaf
    memory.words[at + 1] = word | 1
  } else {
    const leaf = memory.reserve(2 * REGION)
    memory.words.set(low, leaf)
    memory.words.set(more, leaf + REGION)
    memory.words[at] = leaf
    memory.words[at + 1] = MIXED + 1
  }
}

/** The page size of the first page that is mapped. */
function sizeOfMapped({ more, isAlike }: Scratch): number {
  if (isAlike) return ((more[0] ?? 0) >>> 16) & 3
  for (const word of more) if ((word & 0xf00000) === 0) return (word >>> 16) & 3
  return 0
}

function kindOf(
  { low, more, isAlike }: Scratch,
  slot: number,
  size: number,
): 'extent' | 'state' | 'leaf' | 'wide' {
  const first = low[0] ?? 0
  const firstMore = more[0] ?? 0
  let isExtent = (firstMore & HAS_FRAME) !== 0 && first + REGION <= 2 ** 32
  let isState = (firstMore & HAS_FRAME) === 0 && canBeAlike((firstMore >>> 20) & 15)
  let isLeaf = slot !== NO_SLOT_INDEX
  const mapped = (slot | (size << 16) | HAS_FRAME) >>> 0
  if (isAlike) return isState ? 'state' : 'extent'
  for (let page = 0; page < REGION; page++) {
    const value = low[page] ?? 0
    const word = more[page] ?? 0
    if (word !== mapped || value !== first + page) isExtent = false
    if (word !== firstMore) isState = false
    const fits =
      word === mapped
        ? value < LEAF_STATES
        : (word & (HAS_FRAME | 0xff000000)) === 0 &&
          (word & 0xf00000) !== 0 &&
          (word & 0xf00000) !== WALK << 20 &&
          (word & 0xffff) === slot &&
          value < 2 ** 24
    if (!fits) isLeaf = false
  }
  if (isState && slot !== NO_SLOT_INDEX) return 'state'
  if (isExtent && slot !== NO_SLOT_INDEX) return 'extent'
  return isLeaf ? 'leaf' : 'wide'
}
