// SPDX-License-Identifier: GPL-2.0-or-later
// The table of formats.

import { UsageError } from '../errors.ts'
import { arrow, arrowStream } from './arrow.ts'
import { csv } from './csv.ts'
import { type ColumnFormat, type FormatName } from './format.ts'
import { jsonl } from './jsonl.ts'
import { parquet } from './parquet.ts'
import { text } from './text.ts'

/** Each format; of a file that is read, the first one that knows it. */
const formats: readonly ColumnFormat[] = [arrow, arrowStream, parquet, jsonl, csv, text]

/** A format that tables can be written in. */
type WrittenFormat = ColumnFormat & Required<Pick<ColumnFormat, 'writer'>>

function isWritten(format: ColumnFormat): format is WrittenFormat {
  return format.writer !== undefined
}

/** The format of what begins so. */
export function formatOf(head: Uint8Array): ColumnFormat {
  return formats.find(({ isIt }) => isIt(head)) ?? text
}

/** The format to write, by its name, or by the end of the file's. */
export function formatFor(name: FormatName | undefined, path: string): WrittenFormat {
  const format =
    name === undefined
      ? formats.find(({ extensions }) => extensions.some((end) => path.toLowerCase().endsWith(end)))
      : formats.find((each) => each.name === name)
  if (format !== undefined && isWritten(format)) return format
  const written = formats.filter(isWritten)
  const all = written.map((each) => each.name).join(', ')
  throw new UsageError(
    name === undefined
      ? `the name '${path}' does not tell a format: end it with ${ends(written)}, or name one of ${all}`
      : `'${name}' is no format to write; there are ${all}`,
  )
}

function ends(written: readonly ColumnFormat[]): string {
  return written.flatMap(({ extensions }) => extensions.slice(0, 1)).join(', ')
}
