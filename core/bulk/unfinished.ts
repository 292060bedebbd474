// SPDX-License-Identifier: GPL-2.0-or-later
// The error of a bulk translation that did not come to its end, with what was done until then.

import { DumpError } from '../errors.ts'
import { type TranslationTable } from './table.ts'

/** A bulk translation that was stopped in the middle. `cause` is what stopped it. */
export class UnfinishedError extends DumpError {
  /** The rows that are done, each with its place in the input (`table.index`). */
  readonly table: TranslationTable
  /** How many rows were asked for. */
  readonly total: number

  constructor(table: TranslationTable, total: number, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const done = `${table.length.toLocaleString('en-US')} of ${total.toLocaleString('en-US')} rows`
    const where = table.length === 0 ? '' : `; the last of them is row ${table.index.at(-1) ?? 0}`
    super('unfinished', `stopped when ${done} were done (they are error.table${where}): ${why}`, {
      cause,
    })
    this.table = table
    this.total = total
  }
}
