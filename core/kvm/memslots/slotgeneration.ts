// SPDX-License-Identifier: GPL-2.0-or-later
// The generation of a set of memslots: whether KVM was changing the slots when the host stopped.

import { layout, optional, u64 } from '../../types/layout.ts'
import { type Types } from '../../types/type.ts'
import { type MemslotHost } from './slotform.ts'

/** Says whether a generation means that an update is in progress. */
export type Generations = (generation: bigint, addressSpace: number, types: Types) => boolean

/** KVM_MEMSLOT_GEN_UPDATE_IN_PROGRESS of include/linux/kvm_host.h, since 5.1. */
const IN_PROGRESS = 1n << 63n

/** Since 5.1. No count gets as far as bit 40, so what is set there too is a negative number of the kernels before. */
export const inBit63: Generations = (generation) =>
  (generation & IN_PROGRESS) !== 0n && (generation & ~IN_PROGRESS) >> 40n === 0n

/**
 * Arrays of a fixed length: odd while an update runs, up to 5.0 (install_new_memslots of virt/kvm/kvm_main.c), bit 63
 * from 5.1 on. Address space 0 is even at rest in both. Address space 1 is even in the older ones and odd in the newer;
 * those have dropped the long counter kvm_arch.mmu_valid_gen, which came back as a byte in 5.4.
 */
export const inLowBit: Generations = (generation, addressSpace, types) => {
  if (inBit63(generation, addressSpace, types)) return true
  if ((generation & 1n) === 0n) return false
  return addressSpace === 0 || types.struct('kvm_arch')?.member('mmu_valid_gen')?.size === 8
}

/** Kernels whose generation only counts, or that have none. */
export const notTold: Generations = () => false

/** Reads the generation of a set; undefined where kernels have none. */
export function generationReader({
  space,
  types,
}: MemslotHost): (set: bigint) => bigint | undefined {
  if (!types.has('kvm_memslots')) return () => undefined
  const sets = layout(types, 'kvm_memslots', { generation: optional(u64('generation')) })
  return (set) => sets.at(space, set).generation
}
