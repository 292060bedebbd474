// SPDX-License-Identifier: GPL-2.0-or-later
// How kernels keep the memslots of one address space: the forms since 4.2, newest first.

import { CorruptError } from '../errors.ts'
import { RbTrees } from '../linux/rbtree.ts'
import { address, int, layout, pointer } from '../types/layout.ts'
import { arrayRemains } from './arrayremains.ts'
import { type MemslotHost, type Remains, SLOT_LIMIT } from './slotremains.ts'
import { treeRemains } from './treeremains.ts'

/** One form of keeping slots. */
export interface SlotEra {
  /** The addresses of the `kvm_memory_slot`s of a set. */
  readonly slots: (set: bigint) => Iterable<bigint>
  /** What an address space of a `struct kvm` still shows when pages are missing. */
  readonly remains: (kvm: bigint, addressSpace: number) => Remains
}

/** The era of a kernel, or undefined when it keeps its slots in a form that is not known. Told by presence. */
export function slotEra(host: MemslotHost): SlotEra | undefined {
  const set = host.types.struct('kvm_memslots')
  return eras.find(({ member }) => set?.member(member))?.make(host)
}

/** `member` of kvm_memslots tells which. A new era is one more entry, newest first. */
const eras: readonly { member: string; make: (host: MemslotHost) => SlotEra }[] = [
  { member: 'gfn_tree', make: (host) => ({ slots: treeSlots(host), remains: treeRemains(host) }) },
  {
    member: 'used_slots',
    make: (host) => ({ slots: arraySlots(host), remains: arrayRemains(host) }),
  },
]

/**
 * Since 5.17 (and Debian's 6.1): a red-black tree by gfn. Each slot has two nodes, one for each of the two sets that KVM
 * switches between; `node_idx` of the active set, the one that kvm.memslots points at, says which is valid.
 */
function treeSlots(host: MemslotHost): SlotEra['slots'] {
  const { space, types } = host
  const trees = new RbTrees(space, types)
  const set = layout(types, 'kvm_memslots', {
    top: pointer('gfn_tree.rb_node'),
    nodeIndex: int('node_idx'),
  })
  const slot = layout(types, 'kvm_memory_slot', { nodes: address('gfn_node') })
  const nodeSize = types.sizeOf('rb_node') ?? 24
  return function* (at) {
    const { top, nodeIndex } = set.at(space, at)
    if (nodeIndex !== 0 && nodeIndex !== 1) {
      throw new CorruptError('kvm_memslots.node_idx', at, `is ${nodeIndex}; wanted 0 or 1`)
    }
    const offset = BigInt(slot.offset('nodes') + nodeIndex * nodeSize)
    for (const node of trees.nodes(top, 'kvm_memslots.gfn_tree', SLOT_LIMIT)) yield node - offset
  }
}

/** From 4.0 to 5.16: an array in falling order of gfn, of which `used_slots` are in use. */
function arraySlots(host: MemslotHost): SlotEra['slots'] {
  const { space, types } = host
  const set = layout(types, 'kvm_memslots', {
    slots: address('memslots'),
    used: int('used_slots'),
  })
  const size = types.sizeOf('kvm_memory_slot') ?? 0
  return function* (at) {
    const { slots, used } = set.at(space, at)
    if (used < 0 || used > SLOT_LIMIT) {
      const problem = `is ${used}, but KVM allows ${SLOT_LIMIT} slots`
      throw new CorruptError('kvm_memslots.used_slots', at, problem)
    }
    for (let i = 0; i < used; i++) yield slots + BigInt(i * size)
  }
}
