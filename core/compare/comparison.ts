// SPDX-License-Identifier: GPL-2.0-or-later
// What a comparison of two guests says.

import { type RowState } from '../bulk/states.ts'
import { type Vm } from '../kvm/vm.ts'

/**
 * What became of a page from the first to the second. `same`: the same frame, or the same state without one. `moved`:
 * another frame. `appeared`, `went`: mapped in one only, and not swapped in the other. `swapped out`, `swapped in`.
 * `new slot`, `no slot`: only one of them has memory there. `other`: any other change of state, and every page of which
 * either dump lacks what tells.
 */
export type Change =
  | 'same'
  | 'moved'
  | 'appeared'
  | 'went'
  | 'swapped out'
  | 'swapped in'
  | 'new slot'
  | 'no slot'
  | 'other'

/** The changes in the order of their codes. */
export const changes: readonly Change[] = Object.freeze([
  ...(['same', 'moved', 'appeared', 'went', 'swapped out', 'swapped in'] as const),
  ...(['new slot', 'no slot', 'other'] as const),
])

/** Pages of each side in one state, those that are mapped by the size of the host's page. */
export interface SideState {
  readonly state: RowState
  /** In bytes: 4096, 2 MiB, 1 GiB; null for what is not mapped. */
  readonly pageSize: number | null
  readonly pages: readonly [first: number, second: number]
}

/** A page that differs. */
export interface ChangedPage {
  readonly gpa: number
  readonly change: Change
  readonly hpa: readonly [first: bigint | null, second: bigint | null]
  readonly states: readonly [first: RowState, second: RowState]
}

/** How two guests differ. Immutable. */
export interface Comparison {
  readonly vms: readonly [first: Vm, second: Vm]
  /** Pages of 4 KiB that either has memory for. */
  readonly pages: number
  /** Pages by what became of them; changes that do not occur have 0. */
  readonly counts: Readonly<Record<Change, number>>
  /** Pages by state and page size, on both sides; what occurs on neither is left out. Mapped ones first, large to small. */
  readonly states: readonly SideState[]
  /** Pages that differ, by gpa; only the first `mostChanged`. */
  readonly changed: readonly ChangedPage[]
  /** True when there are more than `changed` has. */
  readonly isCut: boolean
}
