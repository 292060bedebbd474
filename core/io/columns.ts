// SPDX-License-Identifier: GPL-2.0-or-later
// Which column of a file holds the addresses.

import { printable } from '../bytes/printable.ts'
import { MissingError, UsageError } from '../errors.ts'

const USUAL = 'gpa'

/** The place of the column that was asked for; without a name, of `gpa`, or of the only one. */
export function columnIn(
  names: readonly string[],
  wanted: string | undefined,
  file: string,
): number {
  const at = names.indexOf(wanted ?? USUAL)
  if (at >= 0) return at
  const there = names.map((name) => `'${printable(name)}'`).join(', ')
  if (wanted !== undefined) {
    throw new MissingError('column', wanted, `${file}, which has ${there || 'none'}`)
  }
  if (names.length === 1) return 0
  throw new UsageError(
    `${file} has no column 'gpa', but ${there || 'none'}: say which one holds the addresses`,
  )
}
