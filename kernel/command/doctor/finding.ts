// SPDX-License-Identifier: GPL-2.0-or-later
// What a check of the doctor says.

/** One line of the doctor's report. */
export interface Finding {
  readonly name: string
  readonly ok: boolean
  /** What is there: versions, paths, the message of an error. */
  readonly found: string
  /** What to do about it; only where something is wrong. */
  readonly mend?: string
}

/** The message of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
