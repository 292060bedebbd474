// SPDX-License-Identifier: GPL-2.0-or-later
// Radix trees (`struct radix_tree_root`, until 4.19): one entry by index.

import { hex } from '../bytes/hex.ts'
import { CorruptError, FormatError } from '../errors.ts'
import { type Space } from '../space/space.ts'
import { address, arrayLength, layout, optional, pointer, uint } from '../types/layout.ts'
import { type Types } from '../types/type.ts'

/** RADIX_TREE_MAP_SHIFT of include/linux/radix-tree.h: 6, or 4 with CONFIG_BASE_SMALL. */
const MAP_SHIFTS = [6, 4]

/** One node, or a place below which there is nothing more. */
interface Node {
  readonly address: bigint
  readonly slots: bigint
  /** So many bits of the index are left to the levels below. */
  readonly shift: number
}

/**
 * Looks into the radix trees of one kernel. Three forms are told apart by the members of `radix_tree_node`: `height`
 * (until 3.14), `path`, whose lower bits are the height (3.15 to 4.6), and `shift` (since 4.7).
 */
export class RadixTrees {
  readonly #space: Space
  readonly #root
  readonly #node
  readonly #mapShift: number
  readonly #slots: number
  readonly #heightMask: number

  constructor(space: Space, types: Types) {
    this.#space = space
    this.#root = layout(types, 'radix_tree_root', { top: pointer('rnode') })
    const node = layout(types, 'radix_tree_node', {
      shift: optional(uint('shift')),
      height: optional(uint('height', 'path')),
      slots: address('slots'),
    })
    const length = arrayLength(types, 'radix_tree_node', 'slots') ?? 0
    const mapShift = MAP_SHIFTS.find((shift) => 2 ** shift === length)
    if (mapShift === undefined || !(node.has('shift') || node.has('height'))) {
      const problem = `has ${length} slots, and shift, height or path; wanted are 16 or 64 slots, and one of these`
      throw new FormatError(`radix_tree_node ${problem}`, 'radix_tree_node')
    }
    this.#node = node
    this.#mapShift = mapShift
    this.#slots = length
    // RADIX_TREE_HEIGHT_MASK: above it `path` has the place in the parent.
    this.#heightMask = 2 ** (Math.ceil(64 / mapShift) + 1) - 1
  }

  /**
   * The entry at `index`, or 0n when there is none: a pointer, or a value, which is given as an XArray has it (the value
   * above bit 0, which is set; an exceptional entry has it above two bits).
   */
  load(root: bigint, index: number | bigint): bigint {
    return this.#find(root, BigInt(index)).entry
  }

  /** The same, with the first index that the entry stands for: since 4.6 one entry can cover a power of two of them. */
  find(root: bigint, index: number): { entry: bigint; first: number } {
    const { entry, first } = this.#find(root, BigInt(index))
    return { entry, first: Number(first) }
  }

  /**
   * Every entry in the order of the indexes. Throws CorruptError after `limit` entries and nodes: a damaged tree can
   * have many nodes and no entry.
   */
  *entries(root: bigint, limit: number): Generator<bigint> {
    let count = 0
    const step = () => {
      if (++count > limit)
        throw new CorruptError('radix_tree_root', root, `more than ${limit} entries`)
    }
    yield* this.#below(this.#root.at(this.#space, root).top, undefined, step)
  }

  #find(root: bigint, index: bigint): { entry: bigint; first: bigint } {
    const none = { entry: 0n, first: index }
    let { top: entry } = this.#root.at(this.#space, root)
    let first = index
    let node = this.#child(entry, undefined)
    // A single entry in the root is the one at index 0; an index beyond the tree is not in it.
    if (node === undefined ? index !== 0n : index >> BigInt(node.shift) >= BigInt(this.#slots)) {
      return none
    }
    while (node !== undefined) {
      const slot: number = Number((index >> BigInt(node.shift)) & BigInt(this.#slots - 1))
      const found = this.#slot(node, slot)
      entry = found.entry
      const above = BigInt(node.shift + this.#mapShift)
      first = ((index >> above) << above) + (BigInt(found.slot) << BigInt(node.shift))
      node = this.#child(entry, node)
    }
    const plain = entryOf(entry)
    return plain === 0n ? none : { entry: plain, first }
  }

  *#below(entry: bigint, above: Node | undefined, step: () => void): Generator<bigint> {
    const node = this.#child(entry, above)
    if (node === undefined) {
      const plain = entryOf(entry)
      if (plain === 0n) return
      step()
      yield plain
      return
    }
    step()
    for (let i = 0; i < this.#slots; i++) {
      const { entry: next, slot } = this.#slot(node, i)
      if (slot === i) yield* this.#below(next, node, step)
    }
  }

  /** What a slot has. One of a large entry's others has the address of the slot that has the entry: that one's. */
  #slot({ slots }: Node, index: number): { entry: bigint; slot: number } {
    const entry = this.#space.u64(slots + BigInt(index * 8))
    const place = entry - 1n - slots
    // is_sibling_entry of lib/radix-tree.c.
    if (!isInternal(entry) || place < 0n || place >= BigInt(this.#slots * 8)) {
      return { entry, slot: index }
    }
    return { entry: this.#space.u64(slots + place), slot: Number(place / 8n) }
  }

  /** The node that an entry below `above`, or in the root, leads to; undefined when the entry is no node. */
  #child(entry: bigint, above: Node | undefined): Node | undefined {
    if (entry === 0n || (entry & 2n) === 2n || entry === 1n) return undefined
    if (!isInternal(entry)) {
      // Until 4.5 only the pointer in the root is tagged, and the height says where the nodes end.
      if (above === undefined || above.shift === 0 || this.#node.has('shift')) return undefined
    }
    const node = this.#node.at(this.#space, entry & ~3n)
    const shift =
      node.shift ?? ((node.height ?? 0) & this.#heightMask) * this.#mapShift - this.#mapShift
    const isFit =
      above === undefined
        ? shift >= 0 && shift < 64 && shift % this.#mapShift === 0
        : shift === above.shift - this.#mapShift
    // Each level is one lower than the one above it, which is what ends the walk.
    if (!isFit) {
      const where = above === undefined ? 'in the root' : `below ${above.shift}`
      const problem = `the node ${hex(node.address)} has shift ${shift} ${where}`
      throw new CorruptError('radix_tree_node', node.address, problem)
    }
    return { address: node.address, slots: node.slots, shift }
  }
}

/** RADIX_TREE_INTERNAL_NODE, before 4.7 RADIX_TREE_INDIRECT_PTR. */
function isInternal(entry: bigint): boolean {
  return (entry & 3n) === 1n
}

/** An entry as callers get it. A slot that says "look again" (RADIX_TREE_RETRY) has none. */
function entryOf(entry: bigint): bigint {
  if ((entry & 1n) === 1n) return 0n
  return (entry & 2n) === 2n ? ((entry >> 2n) << 1n) | 1n : entry
}
