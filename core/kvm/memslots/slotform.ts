// SPDX-License-Identifier: GPL-2.0-or-later
// A form of keeping memslots: how they are listed, and what can still be seen of them when pages are missing.

import { type FaultError } from '../../errors.ts'
import { type Space } from '../../space/space.ts'
import { type Types } from '../../types/type.ts'

/** KVM_MEM_SLOTS_NUM of include/linux/kvm_host.h is SHRT_MAX. */
export const SLOT_LIMIT = 32767

/** What of a host is needed to read memslots. */
export interface MemslotHost {
  readonly types: Types
  readonly space: Space
  readonly vmcoreinfo: { readonly release: string }
}

/** A memslot that something points at. Its own page may be missing. */
export interface SlotTrace {
  /** The address of the `kvm_memory_slot`. */
  readonly address: bigint
  /** How it was found, when not in the usual way. */
  readonly how: string | undefined
  /** The numbers that it can have, lowest first; empty when nothing tells. */
  readonly ids: () => readonly number[]
  /** Slots that are known to lie below and above it, by gfn and by hva. */
  readonly below: readonly bigint[]
  readonly above: readonly bigint[]
  readonly hvaBelow: readonly bigint[]
  readonly hvaAbove: readonly bigint[]
}

/** What an address space still shows. */
export interface Remains {
  readonly traces: readonly SlotTrace[]
  /** The first page on the way to the slots that was missing, or undefined. */
  readonly fault: FaultError | undefined
}

/** One form of keeping slots. */
export interface SlotForm {
  /** The addresses of the `kvm_memory_slot`s of a set. */
  readonly slots: (set: bigint) => Iterable<bigint>
  /** The number of a slot by its place, for kernels whose slots do not say their own. */
  readonly idOf?: (set: bigint, slot: bigint) => number
  /** What an address space of a `struct kvm` still shows when pages are missing. */
  readonly remains: (kvm: bigint, addressSpace: number) => Remains
}
