// SPDX-License-Identifier: GPL-2.0-or-later
// The inner loops of bulk translation in JavaScript; `kernels.wat` gives the same columns in WebAssembly.

import { type Columns } from './columns.ts'
import { INVALID, NO_SLOT_INDEX } from './states.ts'

/** Where the parts of a compiled mapping lie in its words. `mapping.ts` tells what they hold. */
export interface Places {
  /** The index of the directory: one word for each GiB. */
  readonly directory: number
  /** The index of the slots: four words for each. */
  readonly slots: number
  /** The directory holds addresses whose upper half is below this. */
  readonly highEnd: number
  /** The code of the state of an address behind the directory. */
  readonly outside: number
}

/** A loop over the rows from `from` to below `to`. Bit N of what it gives is set when a row has state N of 13 or 14. */
export type Kernel = (
  words: Uint32Array,
  places: Places,
  columns: Columns,
  from: number,
  to: number,
) => number

/** The loop for rows whose neighbours lie near as a rule, and that for rows anywhere. */
export type Loop = 'near' | 'far'

/** From this value on a word of a leaf is a state, not a frame: 15 TiB of host memory lie below. */
export const LEAF_STATES = 0xf0000000

/** From this value on a region's kind is of one that lies in no slot, or in several (a wide leaf). */
export const MIXED = NO_SLOT_INDEX * 0x10000

/** One address after the other. */
const near: Kernel = (words, places, columns, from, to) => {
  const { directory, highEnd } = places
  const { gpa } = columns
  let seen = 0
  for (let i = from; i < to; i++) {
    const low = gpa[2 * i] ?? 0
    const high = gpa[2 * i + 1] ?? 0
    if (high >= highEnd) {
      seen |= writeOutside(columns, i, high, places.outside)
      continue
    }
    const region = (words[directory + ((high << 2) | (low >>> 30))] ?? 0) + ((low >>> 20) & 0x3fe)
    const kind = words[region + 1] ?? 0
    let key = ((words[region] ?? 0) + ((low >>> 12) & 511)) >>> 0
    if (kind >= MIXED) seen |= writeMixed(words, places, columns, i, low, high, key, kind)
    else {
      if ((kind & 1) === 1) key = words[key] ?? 0
      write(words, places, columns, i, low, high, key, kind)
    }
  }
  return seen
}

/** So many rows go through the three loops of `far` together: what they keep stays in the first cache. */
const STAGE = 4096
const keys = new Uint32Array(STAGE)
const kinds = new Uint32Array(STAGE)

/**
 * Three short loops over some thousand addresses: regions, leaves, columns. The processor has more reads under way at
 * once in a short loop, which is what counts where each address is somewhere else and the table is large.
 */
const far: Kernel = (words, places, columns, from, to) => {
  let seen = 0
  for (let at = from; at < to; at += STAGE) {
    seen |= stage(words, places, columns, at, Math.min(to, at + STAGE))
  }
  return seen
}

/** Both loops. */
export const jsKernels: Readonly<Record<Loop, Kernel>> = { near, far }

function stage(words: Uint32Array, places: Places, columns: Columns, from: number, to: number) {
  const { directory, highEnd } = places
  const { gpa } = columns
  for (let i = from; i < to; i++) {
    const low = gpa[2 * i] ?? 0
    const high = gpa[2 * i + 1] ?? 0
    if (high >= highEnd) {
      kinds[i - from] = MIXED
      continue
    }
    const region = (words[directory + ((high << 2) | (low >>> 30))] ?? 0) + ((low >>> 20) & 0x3fe)
    keys[i - from] = (words[region] ?? 0) + ((low >>> 12) & 511)
    kinds[i - from] = words[region + 1] ?? 0
  }
  for (let i = 0; i < to - from; i++) {
    const kind = kinds[i] ?? 0
    if ((kind & 1) === 1 && kind < MIXED) keys[i] = words[keys[i] ?? 0] ?? 0
  }
  let seen = 0
  for (let i = from; i < to; i++) {
    const low = gpa[2 * i] ?? 0
    const high = gpa[2 * i + 1] ?? 0
    const key = keys[i - from] ?? 0
    const kind = kinds[i - from] ?? 0
    if (kind < MIXED) write(words, places, columns, i, low, high, key, kind)
    else if (high >= highEnd) seen |= writeOutside(columns, i, high, places.outside)
    else seen |= writeMixed(words, places, columns, i, low, high, key, kind)
  }
  return seen
}

/** Writes a row of a region of one slot from its kind and its key: a frame, or a word of a leaf. */
function write(
  words: Uint32Array,
  places: Places,
  columns: Columns,
  i: number,
  low: number,
  high: number,
  key: number,
  kind: number,
): void {
  writeSlot(words, places, columns, i, low, high, kind >>> 16)
  if ((kind & 1) === 1 && key >= LEAF_STATES) {
    writePage(columns, i, 0xffffffff, 0xffffffff, (key >>> 24) & 15, 0)
  } else {
    writePage(columns, i, (key << 12) | (low & 0xfff), key >>> 20, 0, (kind >>> 8) & 0xff)
  }
}

/** Writes a row of a region in several slots, whose key is the place of a wide leaf's word, or in none. */
function writeMixed(
  words: Uint32Array,
  places: Places,
  columns: Columns,
  i: number,
  low: number,
  high: number,
  key: number,
  kind: number,
): number {
  if ((kind & 1) === 0) return writeNone(columns, i, (kind >>> 2) & 15)
  const more = words[key + 512] ?? 0
  const state = (more >>> 20) & 15
  const slot = more & 0xffff
  if (slot === NO_SLOT_INDEX) return writeNone(columns, i, state)
  writeSlot(words, places, columns, i, low, high, slot)
  const frame = words[key] ?? 0
  const shift = state === 0 ? 12 + 9 * ((more >>> 16) & 3) : 0
  if ((more & 0x40000) === 0) writePage(columns, i, 0xffffffff, 0xffffffff, state, shift)
  else {
    const frameHigh = (frame >>> 20) | ((more >>> 24) << 12)
    writePage(columns, i, (frame << 12) | (low & 0xfff), frameHigh, state, shift)
  }
  return state > INVALID ? 1 << state : 0
}

function writeOutside(columns: Columns, i: number, high: number, outside: number): number {
  return writeNone(columns, i, high > 0xfffff ? INVALID : outside)
}

/** A row without slot, host virtual and host physical address. */
function writeNone(columns: Columns, i: number, state: number): number {
  columns.hva[2 * i] = 0xffffffff
  columns.hva[2 * i + 1] = 0xffffffff
  columns.slot[i] = -1
  writePage(columns, i, 0xffffffff, 0xffffffff, state, 0)
  return state > INVALID ? 1 << state : 0
}

function writeSlot(
  words: Uint32Array,
  places: Places,
  columns: Columns,
  i: number,
  low: number,
  high: number,
  slot: number,
): void {
  const at = places.slots + slot * 4
  const delta = words[at] ?? 0
  const sum = (low + delta) >>> 0
  columns.hva[2 * i] = sum
  columns.hva[2 * i + 1] = high + (words[at + 1] ?? 0) + (sum < delta ? 1 : 0)
  columns.slot[i] = words[at + 2] ?? 0
}

function writePage(
  columns: Columns,
  i: number,
  low: number,
  high: number,
  state: number,
  shift: number,
): void {
  columns.hpa[2 * i] = low
  columns.hpa[2 * i + 1] = high
  columns.state[i] = state
  columns.pageShift[i] = shift
}
