// SPDX-License-Identifier: GPL-2.0-or-later
// What the fuzzer has found: damage that broke a promise once, kept so that it never does again.
import { type Change } from './mutate.ts'

/** One finding: the target, what went wrong, and the least damage that did it. */
export interface Finding {
  readonly target: string
  readonly what: string
  readonly changes: readonly Change[]
}

/** All findings. */
export const found: readonly Finding[] = []
