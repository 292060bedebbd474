// SPDX-License-Identifier: GPL-2.0-or-later
// The codes of the columns of a bulk translation, and what stands for "none" in them.

import { type TranslationState } from '../translate/translation.ts'

/** The state of a row: what a single translation can say, or `invalid` for what is no guest physical address. */
export type RowState = TranslationState | 'invalid'

/** The states in the order of their codes: `stateNames[table.state[i]]`. */
export const stateNames: readonly RowState[] = Object.freeze([
  ...(['mapped', 'swapped', 'migrating', 'poisoned', 'marker', 'device-private'] as const),
  ...(['unmapped', 'no-slot', 'not-in-dump', 'invalid'] as const),
])

/** The code of a state. */
export function stateCode(state: RowState): number {
  return stateNames.indexOf(state)
}

/** Codes that hot loops compare with. */
export const MAPPED = 0
export const SWAPPED = 1
export const POISONED = 3
export const UNMAPPED = 6
export const NO_SLOT = 7
export const NOT_IN_DUMP = 8
export const INVALID = 9
/** Only inside of a run: the table cannot hold the answer, so the page tables are walked for this one address. */
export const WALK = 13
/** Only inside of a run: the region was not read from the page tables yet. */
export const PENDING = 14

/** In the columns of addresses: there is none. No address has all 64 bits set. */
export const NO_ADDRESS = 0xffffffffffffffffn

/** Inside the table: several slots, or none. */
export const NO_SLOT_INDEX = 0xffff
