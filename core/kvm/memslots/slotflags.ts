// SPDX-License-Identifier: GPL-2.0-or-later
// The flags of memslots by name.

import { type Types } from '../../types/type.ts'

/** The flags of one kernel. */
export interface SlotFlags {
  /** The names of the bits that are set and known. */
  readonly names: (flags: number) => string[]
  /** Whether KVM is deleting or moving the slot. */
  readonly isInvalid: (flags: number) => boolean
}

/** KVM_MEM_* of include/uapi/linux/kvm.h; from bit 16 up KVM's own, include/linux/kvm_host.h. */
const bits: Readonly<Record<number, string>> = {
  0: 'LOG_DIRTY_PAGES',
  1: 'READONLY',
  2: 'GUEST_MEMFD',
  16: 'INVALID',
}

/** Up to 3.6 there was no READONLY, and KVM_MEMSLOT_INVALID was bit 1 (include/linux/kvm.h). */
const oldBits: Readonly<Record<number, string>> = { 0: 'LOG_DIRTY_PAGES', 1: 'INVALID' }

/**
 * The flags of a kernel. Told by presence: `rmap` moved into kvm_arch_memory_slot in 3.7, which brought READONLY. Bit 17
 * means GMEM_ONLY where slots can have guest_memfd; in 4.4 it said that the guest's caches are not coherent.
 */
export function slotFlags(types: Types): SlotFlags {
  const slot = types.struct('kvm_memory_slot')
  const isOld = slot?.member('rmap') !== undefined
  const hasGmem = slot?.member('gmem') !== undefined
  const table = isOld ? oldBits : hasGmem ? { ...bits, 17: 'GMEM_ONLY' } : bits
  const named = Object.entries(table).map(([bit, name]) => [Number(bit), name] as const)
  const invalid = isOld ? 1 : 16
  const isSet = (flags: number, bit: number) => ((flags >>> bit) & 1) === 1
  return {
    names: (flags) => named.filter(([bit]) => isSet(flags, bit)).map(([, name]) => name),
    isInvalid: (flags) => isSet(flags, invalid),
  }
}
