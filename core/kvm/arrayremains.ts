// SPDX-License-Identifier: GPL-2.0-or-later
// What is left of an array of memslots (4.2 to 5.16) when pages of it are missing.

import { FaultError, ifThere } from '../errors.ts'
import { address, arrayLength, int, layout, optional } from '../types/layout.ts'
import { type MemslotHost, type Remains, SLOT_LIMIT } from './slotremains.ts'

/** The array is in falling order of gfn: each slot's neighbours are known, and `id_to_index` tells its number. */
export function arrayRemains(host: MemslotHost): (kvm: bigint, addressSpace: number) => Remains {
  const { space, types } = host
  const kvm = layout(types, 'kvm', { memslots: address('memslots') })
  const set = layout(types, 'kvm_memslots', {
    slots: address('memslots'),
    used: int('used_slots'),
    // Of shorts since 5.7, of ints before.
    indexes: optional(address('id_to_index')),
  })
  const size = BigInt(types.sizeOf('kvm_memory_slot') ?? 0)
  const count = arrayLength(types, 'kvm_memslots', 'id_to_index') ?? 0
  const bytes = types.struct('kvm_memslots')?.member('id_to_index')?.size ?? 0

  const idsOf = (indexes: bigint | undefined, index: number): number[] => {
    const width = bytes / count
    for (let id = 0; indexes !== undefined && id < count; id++) {
      const at = indexes + BigInt(id * width)
      const value = ifThere(() => (width === 2 ? space.u16(at) : space.u32(at)))
      if (value === index) return [id]
    }
    return []
  }

  return (at, addressSpace) => {
    const head = ifThere(() => {
      const pointed = space.u64(kvm.at(space, at).memslots + BigInt(addressSpace * 8))
      if (pointed === 0n) return { slots: 0n, indexes: undefined, used: 0 }
      const { slots, indexes, used } = set.at(space, pointed)
      return { slots, indexes, used: Math.min(Math.max(used, 0), SLOT_LIMIT) }
    })
    if (head instanceof FaultError) return { traces: [], fault: head }
    const { slots, indexes, used } = head
    const slotAt = (i: number) => (i < 0 || i >= used ? [] : [slots + BigInt(i) * size])
    const traces = Array.from({ length: used }, (_, i) => ({
      address: slots + BigInt(i) * size,
      how: undefined,
      ids: () => idsOf(indexes, i),
      below: slotAt(i + 1),
      above: slotAt(i - 1),
      hvaBelow: [],
      hvaAbove: [],
    }))
    return { traces, fault: undefined }
  }
}
