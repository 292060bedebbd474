// SPDX-License-Identifier: GPL-2.0-or-later
// Memslots in an array by their number inside of `struct kvm`: 2.6.32 and 2.6.33.

import { type MemslotHost, type SlotForm } from './slotform.ts'
import { slotRow } from './slotrow.ts'
import { type SlotSets } from './slotsets.ts'

/** The first `nmemslots` of an array, of which those without pages are free. The set is the `struct kvm`. */
export function slotsInKvm(host: MemslotHost, sets: SlotSets): SlotForm {
  return slotRow(host, sets, { struct: 'kvm', count: 'nmemslots' })
}
