// SPDX-License-Identifier: GPL-2.0-or-later
// The inner loops of bulk translation in JavaScript; `kernels.wat` holds the same loops for WebAssembly.

import { INVALID, NO_SLOT_INDEX } from './states.ts'

/** Where the parts of a compiled mapping lie in its words. `mapping.ts` tells what they hold. */
export interface Places {
  /** The index of the directory: one word for each GiB. */
  readonly directory: number
  /** The index of the slots: four words for each. */
  readonly slots: number
  /** The directory holds addresses whose upper half is below this. */
  readonly highEnd: number
  /** The code of the state of an address in no slot. */
  readonly outside: number
}

/** The columns of a run; addresses as halves, low before high. */
export interface Columns {
  readonly gpa: Uint32Array
  readonly hva: Uint32Array
  readonly hpa: Uint32Array
  readonly state: Uint8Array
  readonly pageShift: Uint8Array
  readonly slot: Int16Array
}

/** A loop over the rows from `from` to below `to`. Bit N of what it gives is set when a row has state N of 13 or 14. */
export type Kernel = (
  words: Uint32Array,
  places: Places,
  columns: Columns,
  from: number,
  to: number,
) => number

/** From this value on a word of a leaf is a state, not a frame: 15 TiB of host memory lie below. */
export const LEAF_STATES = 0xf0000000

/**
 * One address after the other: best where neighbours lie near each other, or the whole table fits in the cache.
 */
export const onePass: Kernel = (words, places, columns, from, to) => {
  const { directory, highEnd } = places
  const { gpa } = columns
  let seen = 0
  for (let i = from; i < to; i++) {
    const low = gpa[2 * i] ?? 0
    const high = gpa[2 * i + 1] ?? 0
    if (high >= highEnd) {
      writeNone(columns, i, high > 0xfffff ? INVALID : places.outside)
      if (places.outside > INVALID) seen |= 1 << places.outside
      continue
    }
    const region = (words[directory + ((high << 2) | (low >>> 30))] ?? 0) + ((low >>> 20) & 0x3fe)
    const kind = words[region + 1] ?? 0
    let key = ((words[region] ?? 0) + ((low >>> 12) & 511)) >>> 0
    if ((kind & 3) === 2 && kind >>> 16 !== NO_SLOT_INDEX) key = words[key] ?? 0
    seen |= write(words, places, columns, i, low, high, key, kind)
  }
  return seen
}

/** So many rows go through the three loops of `staged` together: what they keep stays in the first cache. */
export const STAGE = 4096
const keys = new Uint32Array(STAGE)
const kinds = new Uint32Array(STAGE)

/**
 * Three short loops over some thousand addresses: regions, leaves, columns. The processor has more reads under way at
 * once in a short loop, which is what counts where each address is somewhere else and the table is large.
 */
export const staged: Kernel = (words, places, columns, from, to) => {
  let seen = 0
  for (let at = from; at < to; at += STAGE) {
    seen |= stage(words, places, columns, at, Math.min(to, at + STAGE))
  }
  return seen
}

function stage(words: Uint32Array, places: Places, columns: Columns, from: number, to: number) {
  const { directory, highEnd } = places
  const { gpa } = columns
  for (let i = from; i < to; i++) {
    const low = gpa[2 * i] ?? 0
    const high = gpa[2 * i + 1] ?? 0
    if (high >= highEnd) {
      kinds[i - from] = 0
      continue
    }
    const region = (words[directory + ((high << 2) | (low >>> 30))] ?? 0) + ((low >>> 20) & 0x3fe)
    keys[i - from] = (words[region] ?? 0) + ((low >>> 12) & 511)
    kinds[i - from] = words[region + 1] ?? 0
  }
  for (let i = 0; i < to - from; i++) {
    const kind = kinds[i] ?? 0
    if ((kind & 3) === 2 && kind >>> 16 !== NO_SLOT_INDEX) keys[i] = words[keys[i] ?? 0] ?? 0
  }
  let seen = 0
  for (let i = from; i < to; i++) {
    const low = gpa[2 * i] ?? 0
    const high = gpa[2 * i + 1] ?? 0
    if (high >= highEnd) {
      writeNone(columns, i, high > 0xfffff ? INVALID : places.outside)
      if (places.outside > INVALID) seen |= 1 << places.outside
      continue
    }
    const key = keys[i - from] ?? 0
    seen |= write(words, places, columns, i, low, high, key, kinds[i - from] ?? 0)
  }
  return seen
}

/** Writes a row from its region's kind and its key: a frame, a word of a leaf, or the place of a wide leaf's word. */
function write(
  words: Uint32Array,
  places: Places,
  columns: Columns,
  i: number,
  low: number,
  high: number,
  key: number,
  kind: number,
): number {
  let slot = kind >>> 16
  let code = (kind >>> 6) & 3
  let state = 0
  let frame = key
  let frameHigh = 0
  let hasFrame = true
  switch (kind & 3) {
    case 0:
      writeNone(columns, i, places.outside)
      return places.outside > INVALID ? 1 << places.outside : 0
    case 2:
      if (slot === NO_SLOT_INDEX) {
        frame = words[key] ?? 0
        const more = words[key + 512] ?? 0
        slot = more & 0xffff
        code = (more >>> 16) & 3
        hasFrame = (more & 0x40000) !== 0
        state = (more >>> 20) & 15
        frameHigh = more >>> 24
      } else if (frame >= LEAF_STATES) {
        hasFrame = false
        state = (frame >>> 24) & 15
      }
      break
    case 3:
      hasFrame = false
      state = (kind >>> 2) & 15
  }
  if (slot === NO_SLOT_INDEX) {
    writeNone(columns, i, state)
    return state > INVALID ? 1 << state : 0
  }
  const { hva, hpa } = columns
  const at = places.slots + slot * 4
  const delta = words[at] ?? 0
  const sum = (low + delta) >>> 0
  hva[2 * i] = sum
  hva[2 * i + 1] = high + (words[at + 1] ?? 0) + (sum < delta ? 1 : 0)
  columns.slot[i] = words[at + 2] ?? 0
  hpa[2 * i] = hasFrame ? (frame << 12) | (low & 0xfff) : 0xffffffff
  hpa[2 * i + 1] = hasFrame ? (frame >>> 20) | (frameHigh << 12) : 0xffffffff
  columns.state[i] = state
  columns.pageShift[i] = state === 0 ? 12 + 9 * code : 0
  return state > INVALID ? 1 << state : 0
}

/** A row without slot, host virtual and host physical address. */
function writeNone(columns: Columns, i: number, state: number): void {
  const { hva, hpa } = columns
  hva[2 * i] = 0xffffffff
  hva[2 * i + 1] = 0xffffffff
  hpa[2 * i] = 0xffffffff
  hpa[2 * i + 1] = 0xffffffff
  columns.state[i] = state
  columns.pageShift[i] = 0
  columns.slot[i] = -1
}
