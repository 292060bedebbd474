// SPDX-License-Identifier: GPL-2.0-or-later
// Memslots in an array in falling order of gfn, with a count of those in use: 4.0 to 5.16, and RHEL 7's 3.10.

import { type MemslotHost, type SlotForm } from './slotform.ts'
import { slotRow } from './slotrow.ts'
import { type SlotSets } from './slotsets.ts'

/** The first `used_slots` of an array, which is open since 5.7 and has a fixed length before. */
export function slotArray(host: MemslotHost, sets: SlotSets): SlotForm {
  return slotRow(host, sets, { struct: 'kvm_memslots', count: 'used_slots', isFalling: true })
}
