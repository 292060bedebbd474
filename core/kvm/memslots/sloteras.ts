// SPDX-License-Identifier: GPL-2.0-or-later
// How kernels keep the memslots of one address space: every form since 2.6.32, newest first.

import { arrayLength, memberType } from '../../types/layout.ts'
import { type Types } from '../../types/type.ts'
import { slotArray } from './slotarray.ts'
import { type Generations, inBit63, inLowBit, notTold } from './slotgeneration.ts'
import { type MemslotHost, type SlotForm } from './slotform.ts'
import { slotsById } from './slotsbyid.ts'
import { slotsBySize } from './slotsbysize.ts'
import { type SlotSets } from './slotsets.ts'
import { slotsInKvm } from './slotsinkvm.ts'
import { slotTree } from './slottree.ts'

/** The form of a kernel, and what else goes with its era. */
export interface SlotEra extends SlotForm {
  /** Whether a generation says that KVM was changing the set. */
  readonly generations: Generations
}

interface Era {
  readonly is: (types: Types) => boolean
  readonly make: (host: MemslotHost, sets: SlotSets) => SlotForm
  readonly generations: Generations
}

const has = (member: string) => (types: Types) =>
  types.struct('kvm_memslots')?.member(member) !== undefined

/** True when the array of slots is the open end of its structure. */
const isOpen = (types: Types) => arrayLength(types, 'kvm_memslots', 'memslots') === 0

/** Told by presence, in this order. A new era is one more line, newest first. */
const eras: readonly Era[] = [
  { is: has('gfn_tree'), make: slotTree, generations: inBit63 },
  { is: (t) => has('used_slots')(t) && isOpen(t), make: slotArray, generations: inBit63 },
  { is: has('used_slots'), make: slotArray, generations: inLowBit },
  { is: has('nmemslots'), make: slotsById, generations: notTold },
  { is: has('id_to_index'), make: slotsBySize, generations: notTold },
  {
    is: (types) => memberType(types, 'kvm', 'nmemslots') !== undefined,
    make: slotsInKvm,
    generations: notTold,
  },
]

/** The era of a kernel, or undefined when it keeps its slots in a form that is not known. */
export function slotEra(host: MemslotHost, sets: SlotSets): SlotEra | undefined {
  const era = eras.find(({ is }) => is(host.types))
  return era && { ...era.make(host, sets), generations: era.generations }
}
