// SPDX-License-Identifier: GPL-2.0-or-later
// The error of a comparison that did not come to its end, with what was compared until then.

import { hex } from '../bytes/hex.ts'
import { DumpError } from '../errors.ts'
import { type Comparison } from './comparison.ts'

/** A comparison that was stopped in the middle. `cause` is what stopped it. */
export class UnfinishedComparisonError extends DumpError {
  /** The pages that were compared: those below `gpa`. */
  readonly comparison: Comparison
  /** How many pages there are in all. */
  readonly total: number
  /** The first guest physical address that was not compared. */
  readonly gpa: number

  constructor(comparison: Comparison, total: number, gpa: number, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const [done, all] = [comparison.pages, total].map((pages) => pages.toLocaleString('en-US'))
    super(
      'unfinished',
      `stopped at gpa ${hex(gpa)} when ${done ?? ''} of ${all ?? ''} pages were compared (they are error.comparison): ${why}`,
      { cause },
    )
    this.comparison = comparison
    this.total = total
    this.gpa = gpa
  }
}
