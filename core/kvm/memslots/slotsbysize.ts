// SPDX-License-Identifier: GPL-2.0-or-later
// Memslots in an array in falling order of size, which the first empty one ends: 3.3 to 3.19.

import { type MemslotHost, type SlotForm } from './slotform.ts'
import { slotRow } from './slotrow.ts'
import { type SlotSets } from './slotsets.ts'

/** The whole array up to the first slot without pages. */
export function slotsBySize(host: MemslotHost, sets: SlotSets): SlotForm {
  return slotRow(host, sets, { struct: 'kvm_memslots' })
}
