// SPDX-License-Identifier: GPL-2.0-or-later
// Memslots that lie in a row, as in all kernels up to 5.16, and what is left of a row when pages of it are missing.

import { CorruptError, FaultError, ifThere } from '../../errors.ts'
import { address, arrayLength, int, layout, optional } from '../../types/layout.ts'
import { type MemslotHost, type Remains, SLOT_LIMIT, type SlotForm } from './slotform.ts'
import { type SlotSets } from './slotsets.ts'

/** How one era keeps its row. */
export interface Row {
  /** The struct in which it lies, as the member `memslots`. */
  readonly struct: 'kvm' | 'kvm_memslots'
  /** The member of it that counts those in use; undefined when an empty slot ends the row. */
  readonly count?: string
  /** True when the row is in falling order of gfn. */
  readonly isFalling?: boolean
}

/** Reads a row of slots. */
export function slotRow(host: MemslotHost, sets: SlotSets, row: Row): SlotForm {
  const { space, types } = host
  const { struct, count, isFalling = false } = row
  const holder = layout(types, struct, {
    slots: address('memslots'),
    // Since 3.3: of ints, of shorts since 4.x.
    indexes: optional(address('id_to_index')),
  })
  const size = types.sizeOf('kvm_memory_slot') ?? 0
  // 0 for the open array of 5.7 to 5.16.
  const length = arrayLength(types, struct, 'memslots') ?? 0
  const limit = length === 0 ? SLOT_LIMIT : length
  const indexCount = arrayLength(types, struct, 'id_to_index') ?? 0
  const indexBytes = types.struct(struct)?.member('id_to_index')?.size ?? 0
  const npages = BigInt(types.struct('kvm_memory_slot')?.member('npages')?.offset ?? 0)
  const firstOf = (set: bigint) => holder.at(space, set).slots
  const slotIn = (first: bigint, i: number) => first + BigInt(i * size)

  const counts = count === undefined ? undefined : layout(types, struct, { used: int(count) })
  const countOf = (set: bigint): number => counts?.at(space, set).used ?? limit
  const usedOf = (set: bigint): number => {
    const used = countOf(set)
    if (used >= 0 && used <= limit) return used
    const problem = `is ${used}, but KVM allows ${limit} slots`
    throw new CorruptError(`${struct}.${count ?? 'memslots'}`, set, problem)
  }

  const idsOf = (set: bigint, index: number): number[] => {
    const { indexes } = holder.at(space, set)
    if (indexes === undefined) return [index]
    const width = indexBytes / indexCount
    for (let id = 0; id < indexCount; id++) {
      const at = indexes + BigInt(id * width)
      const value = ifThere(() => (width === 2 ? space.u16(at) : space.u32(at)))
      if (value === index) return [id]
    }
    return []
  }

  return {
    *slots(set) {
      const first = firstOf(set)
      const used = usedOf(set)
      for (let i = 0; i < used; i++) {
        const at = slotIn(first, i)
        // Sorted by size, so that the first empty slot is the last one (sort_memslots of virt/kvm/kvm_main.c, 3.3).
        if (count === undefined && space.u64(at + npages) === 0n) return
        yield at
      }
    },

    idOf: (set, at) => Number(at - firstOf(set)) / size,

    remains(kvm, addressSpace): Remains {
      const head = ifThere(() => {
        const set = sets.at(kvm, addressSpace)
        if (set === 0n) return { set, first: 0n, used: 0 }
        const used = countOf(set)
        return { set, first: firstOf(set), used: Math.min(Math.max(used, 0), limit) }
      })
      if (head instanceof FaultError) return { traces: [], fault: head }
      const { set, first, used } = head
      const near = (i: number) => (isFalling && i >= 0 && i < used ? [slotIn(first, i)] : [])
      const traces = Array.from({ length: used }, (_, i) => ({
        address: slotIn(first, i),
        how: undefined,
        ids: () => idsOf(set, i),
        below: near(i + 1),
        above: near(i - 1),
        hvaBelow: [],
        hvaAbove: [],
      }))
      return { traces, fault: undefined }
    },
  }
}
