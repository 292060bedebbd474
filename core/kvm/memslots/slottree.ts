// SPDX-License-Identifier: GPL-2.0-or-later
// Memslots in red-black trees: since 5.17.

import { CorruptError } from '../../errors.ts'
import { RbTrees } from '../../linux/rbtree.ts'
import { address, int, layout, pointer } from '../../types/layout.ts'
import { type MemslotHost, SLOT_LIMIT, type SlotForm } from './slotform.ts'
import { treeRemains } from './treeremains.ts'

/**
 * A tree by gfn. Each slot has two nodes, one for each of the two sets that KVM switches between; `node_idx` of the
 * active set, the one that kvm.memslots points at, says which is valid.
 */
export function slotTree(host: MemslotHost): SlotForm {
  const { space, types } = host
  const trees = new RbTrees(space, types)
  const set = layout(types, 'kvm_memslots', {
    top: pointer('gfn_tree.rb_node'),
    nodeIndex: int('node_idx'),
  })
  const slot = layout(types, 'kvm_memory_slot', { nodes: address('gfn_node') })
  const nodeSize = types.sizeOf('rb_node') ?? 24
  return {
    *slots(at) {
      const { top, nodeIndex } = set.at(space, at)
      if (nodeIndex !== 0 && nodeIndex !== 1) {
        throw new CorruptError('kvm_memslots.node_idx', at, `is ${nodeIndex}; wanted 0 or 1`)
      }
      const offset = BigInt(slot.offset('nodes') + nodeIndex * nodeSize)
      for (const node of trees.nodes(top, 'kvm_memslots.gfn_tree', SLOT_LIMIT)) yield node - offset
    },
    remains: treeRemains(host),
  }
}
