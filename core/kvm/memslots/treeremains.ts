// SPDX-License-Identifier: GPL-2.0-or-later
// What is left of the trees and the hash of memslots (since 5.17) when pages of them are missing.

import { CorruptError, FaultError, ifThere } from '../../errors.ts'
import { type BrokenTree, RbTrees } from '../../linux/rbtree.ts'
import { address, arrayLength, int, layout, optional, pointer, u64 } from '../../types/layout.ts'
import { type MemslotHost, type Remains, SLOT_LIMIT, type SlotTrace } from './slotform.ts'

/** GOLDEN_RATIO_32 of include/linux/hash.h: hash_min() of a number is the top bits of its product with this. */
const GOLDEN_RATIO_32 = 0x61c88647
/** Bit 63 of a generation: an update is in progress (KVM_MEMSLOT_GEN_UPDATE_IN_PROGRESS). */
const IN_PROGRESS = 1n << 63n

const CHOSEN =
  'kvm.memslots is not in the dump: of the sets in kvm.__memslots, the one of the highest generation is taken'
const NOT_IN_USE = 'found in the set of memslots that is not in use'

const GONE = ': a page of its gfn_tree is not in the dump'

/** One of the two sets of an address space, and what is told of a slot that only it shows. */
interface Way {
  readonly set: bigint
  readonly how: string | undefined
}

interface Found {
  readonly how: string | undefined
  ids: () => readonly number[]
  readonly below: bigint[]
  readonly above: bigint[]
  readonly hvaBelow: bigint[]
  readonly hvaAbove: bigint[]
}

/**
 * Every slot hangs in a tree by gfn, a tree by hva and a hash by number, in each of the two sets that KVM switches
 * between. At rest both sets hold the same slots; only links differ.
 */
export function treeRemains(host: MemslotHost): (kvm: bigint, addressSpace: number) => Remains {
  const { space, types } = host
  const trees = new RbTrees(space, types)
  const kvm = layout(types, 'kvm', {
    memslots: address('memslots'),
    sets: optional(address('__memslots')),
  })
  const set = layout(types, 'kvm_memslots', {
    generation: optional(u64('generation')),
    gfnTop: pointer('gfn_tree.rb_node'),
    hvaTop: optional(pointer('hva_tree.rb_root.rb_node')),
    hash: optional(address('id_hash')),
    nodeIndex: int('node_idx'),
  })
  const slot = layout(types, 'kvm_memory_slot', {
    gfnNodes: address('gfn_node'),
    hvaNodes: optional(address('hva_node')),
    idNodes: optional(address('id_node')),
  })
  const nodeSizes = {
    gfnNodes: types.sizeOf('rb_node') ?? 24,
    hvaNodes: types.sizeOf('interval_tree_node') ?? 48,
    idNodes: types.sizeOf('hlist_node') ?? 16,
  }
  const buckets = arrayLength(types, 'kvm_memslots', 'id_hash') ?? 0

  return (at, addressSpace) => {
    const pointed = ifThere(() => space.u64(kvm.at(space, at).memslots + BigInt(addressSpace * 8)))
    if (pointed === 0n) return { traces: [], fault: undefined }
    const found = new Map<bigint, Found>()
    let fault: FaultError | undefined
    const ways = waysOf(at, addressSpace, pointed)
    if (ways.length === 0 && pointed instanceof FaultError) fault = pointed
    for (const [i, way] of ways.entries()) {
      const problem = ifThere(() => follow(way, found))
      if (problem instanceof FaultError && i === 0) fault = problem
      // The set that is not in use can be older: it is asked only when the other does not show all.
      if (problem === true) break
    }
    const traces = [...found].map(([slotAt, trace]): SlotTrace => ({ address: slotAt, ...trace }))
    return { traces, fault }
  }

  /** The sets, the one that is in use first. */
  function waysOf(at: bigint, addressSpace: number, pointed: bigint | FaultError): Way[] {
    const ways: Way[] = pointed instanceof FaultError ? [] : [{ set: pointed, how: undefined }]
    if (!kvm.has('sets')) return ways
    const first = at + BigInt(kvm.offset('sets') + 2 * addressSpace * set.size)
    const both = [first, first + BigInt(set.size)].map((one) => ({ one, age: generationOf(one) }))
    both.sort((a, b) => (a.age < b.age ? 1 : -1))
    for (const { one } of both) {
      if (ways.some((way) => way.set === one)) continue
      ways.push({ set: one, how: ways.length === 0 ? CHOSEN : NOT_IN_USE })
    }
    return ways
  }

  function generationOf(at: bigint): bigint {
    const generation = ifThere(() => set.at(space, at).generation ?? 0n)
    return generation instanceof FaultError ? -1n : generation & ~IN_PROGRESS
  }

  /** Adds what a set shows. True when no page was missing on the way. */
  function follow({ set: at, how }: Way, found: Map<bigint, Found>): boolean {
    const { gfnTop, hvaTop = 0n, hash, nodeIndex } = set.at(space, at)
    const slotOf = (kind: keyof typeof nodeSizes, node: bigint): bigint =>
      node - BigInt(slot.offset(kind) + nodeIndex * nodeSizes[kind])
    const add = (slotAt: bigint, by: string | undefined): Found => {
      const known = found.get(slotAt)
      if (known !== undefined) return known
      const problem = `more than ${SLOT_LIMIT} slots`
      if (found.size >= SLOT_LIMIT) throw new CorruptError('kvm_memslots', at, problem)
      const none = { below: [], above: [], hvaBelow: [], hvaAbove: [] }
      const fresh = { how: how ?? by, ids: () => [], ...none }
      found.set(slotAt, fresh)
      return fresh
    }
    const addTree = (kind: 'gfnNodes' | 'hvaNodes', top: bigint, by?: string): BrokenTree => {
      const tree = trees.remains(top, 'kvm_memslots.gfn_tree', SLOT_LIMIT)
      for (const node of tree.nodes) add(slotOf(kind, node), by)
      for (const { node, below, above } of tree.missing) {
        const trace = add(slotOf(kind, node), by)
        const [lower, upper] =
          kind === 'gfnNodes' ? [trace.below, trace.above] : [trace.hvaBelow, trace.hvaAbove]
        if (below !== undefined) lower.push(slotOf(kind, below))
        if (above !== undefined) upper.push(slotOf(kind, above))
      }
      return tree
    }
    let isWhole = addTree('gfnNodes', gfnTop).missing.length === 0
    if (slot.has('hvaNodes')) addTree('hvaNodes', hvaTop, `found in kvm_memslots.hva_tree${GONE}`)
    for (let bucket = 0; hash !== undefined && bucket < buckets; bucket++) {
      let node = ifThere(() => space.u64(hash + BigInt(bucket * 8)))
      for (let i = 0; typeof node === 'bigint' && node !== 0n && i < SLOT_LIMIT; i++) {
        const link = node
        add(slotOf('idNodes', link), `found in kvm_memslots.id_hash${GONE}`).ids = () =>
          idsOf(bucket)
        node = ifThere(() => space.u64(link))
      }
      if (node instanceof FaultError) isWhole = false
    }
    return isWhole
  }

  /** The numbers that hash_min() puts into a bucket. */
  function idsOf(bucket: number): number[] {
    const shift = 32 - Math.log2(buckets)
    const ids: number[] = []
    for (let id = 0; id < SLOT_LIMIT; id++) {
      if (Math.imul(id, GOLDEN_RATIO_32) >>> shift === bucket) ids.push(id)
    }
    return ids
  }
}
