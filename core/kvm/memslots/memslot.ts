// SPDX-License-Identifier: GPL-2.0-or-later
// Memslots: KVM's records of which run of guest frames is backed by which run of host virtual addresses.

import { hex } from '../../bytes/hex.ts'
import { CorruptError } from '../../errors.ts'
import { type InternalSlot } from './internalslots.ts'

/** One memslot of a virtual machine. */
export interface Memslot {
  /** 0 is normal memory, 1 is what the guest sees in system management mode (SMM). */
  readonly addressSpace: number
  /** The slot's number as the VMM gave it; -1 for a salvaged one when nothing tells it. */
  readonly id: number
  /** The first guest frame. */
  readonly baseGfn: number
  /** The number of 4 KiB pages. */
  readonly npages: number
  /** The first guest physical address: baseGfn * 4096. */
  readonly gpa: number
  /** The size in bytes: npages * 4096. */
  readonly size: number
  /** The host virtual address of its first byte, in the VMM's process (`userspace_addr`). */
  readonly hva: bigint
  /** The flags by name, such as `READONLY`, `LOG_DIRTY_PAGES`, `GUEST_MEMFD`. */
  readonly flags: readonly string[]
  /** The flags as KVM keeps them. */
  readonly flagBits: number
  /** True while KVM is deleting or moving the slot; such a slot never matches an address. */
  readonly invalid: boolean
  /** The address of the `struct kvm_memory_slot` that says so. */
  readonly address: bigint
  /** What KVM itself uses it for: `TSS`, `APIC access page` or `identity map`; VMMs' slots have none. */
  readonly internal?: InternalSlot
  /**
   * Its first guest physical address by which the slot itself has it, when these frames are only another name of those
   * (`kvm_mem_alias`, up to 2.6.35). Slots that an alias cuts appear once for each part.
   */
  readonly aliasOf?: number
  /** One sentence that says how it was found, when pages of the dump are missing and the usual way led nowhere. */
  readonly salvaged?: string
}

/** A memslot that could not be read. */
export interface LostMemslot {
  readonly addressSpace: number
  /** Its number, where a hash or an index tells. */
  readonly id: number | null
  /**
   * The address of its `struct kvm_memory_slot`; several when it is one of them and nobody can say which; none when it
   * stands for a number of slots that nobody knows.
   */
  readonly addresses: readonly bigint[]
  /** Which page is missing, and why. */
  readonly reason: string
}

/** Memslots in the order of address space and gfn, and what is missing among them. */
export interface MemslotList extends ReadonlyArray<Memslot> {
  /** Empty for a whole dump. */
  readonly lost: readonly LostMemslot[]
  /** True when an address of address space 0 that no slot holds has none for certain. */
  readonly isWhole: boolean
  /** What a reader should know: that KVM was changing the slots when the host stopped. Else empty. */
  readonly remarks: readonly string[]
}

/** A frozen list of memslots. What is missing is not enumerable: the list is an array like any other. */
export function memslotList(
  slots: readonly Memslot[],
  lost: readonly LostMemslot[] = [],
  isWhole = true,
  remarks: readonly string[] = [],
): MemslotList {
  const list = Object.defineProperties([...slots], {
    lost: { value: Object.freeze([...lost]) },
    isWhole: { value: isWhole },
    remarks: { value: Object.freeze([...remarks]) },
  })
  return Object.freeze(list) as unknown as MemslotList
}

/** The number of a slot as text; `?` when nothing tells it. */
export function slotName({ id }: Memslot): string {
  return id < 0 ? '?' : id.toString()
}

/** Slots by gfn. KVM lets none overlap another (kvm_set_memory_region of virt/kvm/kvm_main.c). */
export function inOrder(slots: readonly Memslot[]): Memslot[] {
  const sorted = [...slots].sort((a, b) => a.baseGfn - b.baseGfn)
  for (const [i, slot] of sorted.entries()) {
    const below = sorted[i - 1]
    if (below === undefined || slot.baseGfn >= below.baseGfn + below.npages) continue
    const problem = `slot ${slot.id} at gpa ${hex(slot.gpa)} overlaps slot ${below.id} at ${hex(below.gpa)}`
    throw new CorruptError('kvm_memory_slot', slot.address, problem)
  }
  return sorted
}
