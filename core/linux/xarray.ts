// SPDX-License-Identifier: GPL-2.0-or-later
// XArrays (`struct xarray`, since 4.20): one entry by index.

import { CorruptError } from '../errors.ts'
import { type Space } from '../space/space.ts'
import { address, layout, pointer, uint } from '../types/layout.ts'
import { type Types } from '../types/type.ts'

/** 64 slots of 6 bits each: eleven levels hold every 64-bit index. */
const DEPTH_LIMIT = 11
const SLOTS = 64

/** Looks into the XArrays of one kernel. */
export class XArrays {
  readonly #space: Space
  readonly #array
  readonly #node

  constructor(space: Space, types: Types) {
    this.#space = space
    this.#array = layout(types, 'xarray', { head: pointer('xa_head') })
    this.#node = layout(types, 'xa_node', { shift: uint('shift'), slots: address('slots') })
  }

  /**
   * The entry at `index`, or 0n when there is none: a pointer, or a value (bit 0 set, see `lib/xarray.c`). Internal
   * entries (retry, zero) count as none; a sibling leads to the entry that it belongs to.
   */
  load(array: bigint, index: number): bigint {
    return this.find(array, index).entry
  }

  /** The same, with the first index that the entry stands for: one entry can cover a power of two of them. */
  find(array: bigint, index: number): { entry: bigint; first: number } {
    let first = index
    const none = { entry: 0n, first: index }
    let entry = this.#array.at(this.#space, array).head
    let shift = 64
    for (let depth = 0; isNode(entry); depth++) {
      const node = this.#node.at(this.#space, entry - 2n)
      // Each level must be lower than the one above it, which is what ends the walk.
      if (depth >= DEPTH_LIMIT || node.shift >= shift) {
        throw new CorruptError('xa_node.shift', node.address, `${node.shift} below ${shift}`)
      }
      // An index beyond the tree is not in it.
      if (depth === 0 && index >= SLOTS * 2 ** node.shift) return none
      shift = node.shift
      const span = 2 ** shift
      let slot = Math.floor(index / span) % SLOTS
      entry = this.#slot(node.slots, slot)
      if (isSibling(entry)) {
        slot = Number(entry >> 2n)
        entry = this.#slot(node.slots, slot)
      }
      first = index - (index % (SLOTS * span)) + slot * span
    }
    // A single entry in the head is the one at index 0.
    if (shift === 64 && index !== 0) return none
    return (entry & 3n) === 2n ? none : { entry, first }
  }

  /**
   * Every entry in the order of the indexes, without the internal ones. Throws CorruptError after `limit` entries and
   * nodes: a damaged tree can have many nodes and no entry.
   */
  *entries(array: bigint, limit: number): Generator<bigint> {
    let count = 0
    const step = () => {
      if (++count > limit) throw new CorruptError('xarray', array, `more than ${limit} entries`)
    }
    yield* this.#below(this.#array.at(this.#space, array).head, 64, step)
  }

  *#below(entry: bigint, shift: number, step: () => void): Generator<bigint> {
    if (!isNode(entry)) {
      if (entry === 0n || (entry & 3n) === 2n) return
      step()
      yield entry
      return
    }
    step()
    const node = this.#node.at(this.#space, entry - 2n)
    // Each level is lower than the one above it, so a tree that turns in a circle is not followed.
    if (node.shift >= shift) {
      throw new CorruptError('xa_node.shift', node.address, `${node.shift} below ${shift}`)
    }
    for (let i = 0; i < SLOTS; i++) {
      yield* this.#below(this.#slot(node.slots, i), node.shift, step)
    }
  }

  #slot(slots: bigint, index: number): bigint {
    return this.#space.u64(slots + BigInt(index * 8))
  }
}

/** xa_is_node of include/linux/xarray.h. */
function isNode(entry: bigint): boolean {
  return (entry & 3n) === 2n && entry > 4096n
}

/** xa_is_sibling: the entry's value says which slot of the same node holds the real one. */
function isSibling(entry: bigint): boolean {
  return (entry & 3n) === 2n && entry < BigInt(SLOTS * 4)
}
