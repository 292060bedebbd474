// SPDX-License-Identifier: GPL-2.0-or-later
// Errors of the readers of column files, with the file's name and what to do.

import { DumpError, FormatError, UnsupportedError } from '../errors.ts'

/** What a reader throws, as it is told: a file that is damaged or cannot be read is named, other errors stay. */
export function damaged(error: unknown, file: string, format: string): unknown {
  if (error instanceof UnsupportedError) {
    return new UnsupportedError(
      `${file} cannot be read as ${format}: ${error.message}`,
      error.feature,
    )
  }
  if (error instanceof FormatError || (error instanceof DumpError && error.code === 'codec')) {
    const at = error instanceof FormatError ? error.at : undefined
    const field = error instanceof FormatError ? error.field : 'page'
    const where = at === undefined ? '' : ` (at offset ${at})`
    return new FormatError(
      `${file} is no sound ${format}: ${error.message}${where}; it is damaged or cut off, fetch or write it again`,
      field,
      at,
    )
  }
  return error
}
