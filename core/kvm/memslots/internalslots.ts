// SPDX-License-Identifier: GPL-2.0-or-later
// Memslots that KVM makes for itself.

import { arrayLength } from '../../types/layout.ts'
import { type Types } from '../../types/type.ts'
import { SLOT_LIMIT } from './slotform.ts'

/** Names of KVM's own slots by the number above those of the VMM, arch/x86/include/asm/kvm_host.h. */
const internalNames = ['TSS', 'APIC access page', 'identity map'] as const

/** What KVM itself uses a memslot for: the page of the TSS for real mode, the APIC's page, the identity page table. */
export type InternalSlot = (typeof internalNames)[number]

/**
 * Names the slots that KVM makes for itself: TSS_PRIVATE_MEMSLOT and what follows it, the numbers above those that a
 * VMM can give. Up to 3.8 there are four of those (KVM_PRIVATE_MEM_SLOTS), from 3.9 on three, at the end of all numbers.
 */
export function internalSlots(types: Types): (id: number) => InternalSlot | undefined {
  const length =
    arrayLength(types, 'kvm_memslots', 'id_to_index') ??
    arrayLength(types, 'kvm_memslots', 'memslots') ??
    arrayLength(types, 'kvm', 'memslots') ??
    0
  const hasTree = types.struct('kvm_memslots')?.member('gfn_tree') !== undefined
  const all = hasTree || length === 0 ? SLOT_LIMIT : length
  const own = all < 128 ? 4 : 3
  return (id) => internalNames[id - (all - own)]
}
