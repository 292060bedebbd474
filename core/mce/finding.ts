// SPDX-License-Identifier: GPL-2.0-or-later
// What is found in the log of a memory error: an address, what it is, and how far it can be trusted.

import { type McStatus } from './status.ts'

/**
 * What an address of a log is. `physical`: of the host's memory, to be asked with `dump.whoHas`. `not-physical`: the
 * line says itself that it is none. `unsure`: it may be one; `reason` says what speaks against it.
 */
export type AddressTrust = 'physical' | 'not-physical' | 'unsure'

/** An address in a log of memory errors. */
export interface MceAddress {
  /** The physical address in bytes; of a frame number its first byte. Null when the line has none that can be one. */
  readonly hpa: number | null
  /** The number as the line has it. */
  readonly value: bigint
  /** How the line gives it: an address, or the number of a frame. */
  readonly form: 'address' | 'pfn'
  readonly trust: AddressTrust
  /** One sentence on what it is and why it is trusted or not. */
  readonly reason: string
  /** Which part of the kernel wrote the line: `machine check`, `EDAC`, `APEI`, `memory failure`. */
  readonly source: string
  /** The bank of the processor, or null. */
  readonly bank: number | null
  /** The status of the bank, taken apart, or null when the line or those before it have none. */
  readonly status: McStatus | null
  /** The line's number in the text, from 1, and the line. */
  readonly line: number
  readonly text: string
}
