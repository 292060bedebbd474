// SPDX-License-Identifier: GPL-2.0-or-later
// Where a `struct kvm` keeps the set of memslots of each address space.

import { address, layout } from '../../types/layout.ts'
import { resolve } from '../../types/type.ts'
import { type MemslotHost } from './slotform.ts'

/** The sets of memslots of virtual machines. */
export interface SlotSets {
  /** How many address spaces a virtual machine has: since 4.2 two, the second for system management mode. */
  readonly addressSpaces: number
  /**
   * The address of the set of an address space, 0n when there is none. Kernels before 2.6.34 have no such structure:
   * there it is the `struct kvm` itself. Throws FaultError when the pointer to it is not in the dump.
   */
  readonly at: (kvm: bigint, addressSpace: number) => bigint
}

/** The form in which this kernel has them, told by the type of `kvm.memslots`; undefined for a form that is not known. */
export function slotSets(host: MemslotHost): SlotSets | undefined {
  const { space, types } = host
  const member = types.struct('kvm')?.member('memslots')
  const type = member && resolve(member.type)
  if (type?.kind !== 'array' && type?.kind !== 'pointer') return undefined
  const kvm = layout(types, 'kvm', { memslots: address('memslots') })
  const pointed = (at: bigint, addressSpace: number) =>
    space.u64(kvm.at(space, at).memslots + BigInt(addressSpace * 8))
  if (type.kind === 'pointer') return { addressSpaces: 1, at: (at) => pointed(at, 0) }
  const element = resolve(type.element).kind
  if (element === 'pointer') return { addressSpaces: type.length, at: pointed }
  return element === 'struct' ? { addressSpaces: 1, at: (at) => at } : undefined
}
