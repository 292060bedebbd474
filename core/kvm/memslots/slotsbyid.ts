// SPDX-License-Identifier: GPL-2.0-or-later
// Memslots in an array by their number, with a count, in a structure of their own: 2.6.34 to 3.2, and RHEL 6.

import { type MemslotHost, type SlotForm } from './slotform.ts'
import { slotRow } from './slotrow.ts'
import { type SlotSets } from './slotsets.ts'

/** The first `nmemslots` of an array, of which those without pages are free. */
export function slotsById(host: MemslotHost, sets: SlotSets): SlotForm {
  return slotRow(host, sets, { struct: 'kvm_memslots', count: 'nmemslots' })
}
