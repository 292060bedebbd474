// SPDX-License-Identifier: GPL-2.0-or-later
// Maple trees (`struct maple_tree`, since 6.1): where a process's VMAs are kept.

import { CorruptError } from '../errors.ts'
import { type Space } from '../space/space.ts'
import { address, layout, uint } from '../types/layout.ts'
import { type Types } from '../types/type.ts'

/** Nodes lie at multiples of 256; the bits below hold their type (enum maple_type). */
const NODE_MASK = ~0xffn
const LEAF_64 = 1
const RANGE_64 = 2
const ARANGE_64 = 3
/** Ten slots a node at least: 2^64 single pages would be 16 deep; a loop is deeper. */
const DEPTH_LIMIT = 20
const TOP = (1n << 64n) - 1n

/** One range of a node, both bounds inclusive. */
interface Range {
  readonly first: bigint
  readonly last: bigint
  readonly entry: bigint
}

/** Looks into the maple trees of one kernel. */
export class MapleTrees {
  readonly #space: Space
  readonly #range
  readonly #arange
  readonly #rangeSlots: number
  readonly #arangeSlots: number

  constructor(space: Space, types: Types) {
    this.#space = space
    this.#range = layout(types, 'maple_range_64', {
      pivots: address('pivot'),
      slots: address('slot'),
      end: uint('meta.end'),
    })
    this.#arange = layout(types, 'maple_arange_64', {
      pivots: address('pivot'),
      slots: address('slot'),
      end: uint('meta.end'),
    })
    // One slot more than pivots: the last range ends where the node does.
    this.#rangeSlots = (this.#range.offset('slots') - this.#range.offset('pivots')) / 8 + 1
    this.#arangeSlots = (this.#arange.offset('slots') - this.#arange.offset('pivots')) / 8 + 1
  }

  /** The entry whose range holds `index`, or 0n. `root` is the address of a tree's `ma_root`. */
  load(root: bigint, index: bigint): bigint {
    let entry = this.#space.u64(root)
    if (!isNode(entry)) return index === 0n ? entry : 0n
    let first = 0n
    let last = TOP
    for (let depth = 0; depth < DEPTH_LIMIT; depth++) {
      const node = entry
      const range = this.#ranges(node, first, last).find((candidate) => index <= candidate.last)
      if (range === undefined) return 0n
      if (typeOf(node) === LEAF_64) return isInternal(range.entry) ? 0n : range.entry
      ;({ first, last, entry } = range)
      if (entry === 0n) return 0n
    }
    throw new CorruptError('maple_tree', root, `deeper than ${DEPTH_LIMIT} nodes: a loop`)
  }

  /** Every entry in order. Throws CorruptError after `limit`. `root` is the address of a tree's `ma_root`. */
  *entries(root: bigint, limit: number): Generator<bigint> {
    const top = this.#space.u64(root)
    if (top === 0n) return
    if (!isNode(top)) {
      yield top
      return
    }
    let count = 0
    for (const entry of this.#below(top, 0n, TOP, 0)) {
      if (++count > limit) throw new CorruptError('maple_tree', root, `more than ${limit} entries`)
      yield entry
    }
  }

  *#below(node: bigint, first: bigint, last: bigint, depth: number): Generator<bigint> {
    if (depth >= DEPTH_LIMIT) {
      throw new CorruptError('maple_node', node, `deeper than ${DEPTH_LIMIT} nodes: a loop`)
    }
    for (const range of this.#ranges(node, first, last)) {
      if (range.entry === 0n || isInternal(range.entry)) continue
      if (typeOf(node) === LEAF_64) yield range.entry
      else yield* this.#below(range.entry, range.first, range.last, depth + 1)
    }
  }

  /** The used slots of a node that spans `first`…`last`. */
  #ranges(node: bigint, first: bigint, last: bigint): Range[] {
    const type = typeOf(node)
    if (type !== LEAF_64 && type !== RANGE_64 && type !== ARANGE_64) {
      throw new CorruptError('maple_node', node & NODE_MASK, `unknown node type ${type}`)
    }
    const kind = type === ARANGE_64 ? this.#arange : this.#range
    const slots = type === ARANGE_64 ? this.#arangeSlots : this.#rangeSlots
    const record = kind.at(this.#space, node & NODE_MASK)
    const end = this.#lastSlot(record, type === ARANGE_64, slots, last)
    const ranges: Range[] = []
    for (let i = 0, from = first; i <= end; i++) {
      const pivot = i < slots - 1 ? this.#space.u64(record.pivots + BigInt(i * 8)) : last
      // The last slot in use ends with the node, whatever its pivot says (0 when it is not stored).
      const to = i === end ? last : pivot
      if (to < from || to > last) {
        throw new CorruptError('maple_node', record.address, `pivot ${i} is out of order`)
      }
      ranges.push({ first: from, last: to, entry: this.#space.u64(record.slots + BigInt(i * 8)) })
      from = to + 1n
    }
    return ranges
  }

  /** ma_data_end of lib/maple_tree.c: the index of the last slot in use. */
  #lastSlot(
    record: { pivots: bigint; end: number; address: bigint },
    isArange: boolean,
    slots: number,
    last: bigint,
  ): number {
    let end = record.end
    if (!isArange) {
      const pivot = this.#space.u64(record.pivots + BigInt((slots - 2) * 8))
      if (pivot !== 0n) end = pivot === last ? slots - 2 : slots - 1
    }
    if (end >= slots) throw new CorruptError('maple_node.meta.end', record.address, `is ${end}`)
    return end
  }
}

function typeOf(node: bigint): number {
  return Number((node >> 3n) & 0xfn)
}

/** xa_is_node: the root or a slot above the leaves that points at a node. */
function isNode(entry: bigint): boolean {
  return (entry & 3n) === 2n && entry > 4096n
}

/** Internal values such as XA_ZERO_ENTRY, left by a fork that was under way. */
function isInternal(entry: bigint): boolean {
  return (entry & 3n) === 2n && entry <= 4096n
}
