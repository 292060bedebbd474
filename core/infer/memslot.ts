// SPDX-License-Identifier: GPL-2.0-or-later
// Memslots in whatever form the kernel keeps them: each form is tried, the newest first.

import { Refused } from './findings.ts'
import { inferSlotArrays } from './slotarray.ts'
import { inferSlotTrees } from './slottree.ts'
import { type Survey } from './survey.ts'

/** Newest first; a new form is a file and an entry. */
const forms: readonly ((survey: Survey) => void)[] = [inferSlotTrees, inferSlotArrays]

/** Finds the memslots of the virtual machines that tasks hold. */
export function inferMemslots(survey: Survey): void {
  if (survey.kvms.size === 0) throw new Refused('no virtual machine was found')
  const reasons: string[] = []
  for (const infer of forms) {
    try {
      infer(survey)
      return
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      reasons.push(error.message)
    }
  }
  throw new Refused(reasons.join('; '))
}
