// SPDX-License-Identifier: GPL-2.0-or-later
// The columns of a table as files have them: names, and typed arrays in which one value stands for "none".

import { NO_ADDRESS, SWAPPED } from '../bulk/states.ts'
import { type TranslationTable } from '../bulk/table.ts'

/**
 * The columns of every format, in this order. Addresses and `swap_offset` (in pages from the start of the device) are
 * unsigned 64-bit numbers, `page_size` (in bytes), `slot` and `swap_type` signed 32-bit ones, `state` is a word.
 */
export const columnNames = Object.freeze([
  ...(['gpa', 'hva', 'hpa', 'state', 'page_size', 'slot', 'swap_type', 'swap_offset'] as const),
])

/** Rows as writers take them. In 64-bit columns NO_ADDRESS is none, in the others -1, and a page shift of 0. */
export interface Rows {
  readonly length: number
  readonly gpa: BigUint64Array
  readonly hva: BigUint64Array
  readonly hpa: BigUint64Array
  readonly state: Uint8Array
  readonly pageShift: Uint8Array
  readonly slot: Int16Array
  readonly swapType: Int8Array
  readonly swapOffset: BigUint64Array
}

/** The rows of a table, of which only the swap columns are made anew. */
export function rowsOf(table: TranslationTable): Rows {
  const { length, state } = table
  const swapType = new Int8Array(length).fill(-1)
  const swapOffset = new BigUint64Array(length).fill(NO_ADDRESS)
  for (let i = state.indexOf(SWAPPED); i >= 0; i = state.indexOf(SWAPPED, i + 1)) {
    const place = table.swapOf(i)
    if (place === undefined) continue
    swapType[i] = place.type
    swapOffset[i] = BigInt(place.offset)
  }
  const { gpa, hva, hpa, pageShift, slot } = table
  return { length, gpa, hva, hpa, state, pageShift, slot, swapType, swapOffset }
}
