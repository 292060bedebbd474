// SPDX-License-Identifier: GPL-2.0-or-later
// A lane: the columns of some thousand rows in WebAssembly memory, where kernels.wat works on them.

import { type Columns } from './columns.ts'

/** Rows that one WebAssembly call takes, as kernels.wat knows: in and out 448 KiB, which the second cache holds. */
export const LANE_ROWS = 16384
/** Vectors of slots go over the last row. */
const ROOM = 64

const HVA = 8 * LANE_ROWS
const HPA = 2 * HVA
const SLOT = 3 * HVA
const STATE = SLOT + 2 * LANE_ROWS + ROOM
const PAGE_SHIFT = STATE + LANE_ROWS + ROOM

/** Words of a lane, with the same room at its end. */
export const LANE_WORDS = (PAGE_SHIFT + LANE_ROWS + ROOM) / 4
/** Lanes for so many threads at most. */
export const LANES = 4

/** The columns of the lane that begins at byte `start`. */
export function laneAt(buffer: ArrayBufferLike, start: number): Columns {
  return {
    gpa: new Uint32Array(buffer, start, 2 * LANE_ROWS),
    hva: new Uint32Array(buffer, start + HVA, 2 * LANE_ROWS),
    hpa: new Uint32Array(buffer, start + HPA, 2 * LANE_ROWS),
    slot: new Int16Array(buffer, start + SLOT, LANE_ROWS),
    state: new Uint8Array(buffer, start + STATE, LANE_ROWS),
    pageShift: new Uint8Array(buffer, start + PAGE_SHIFT, LANE_ROWS),
  }
}
