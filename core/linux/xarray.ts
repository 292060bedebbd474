// SPDX-License-Identifier: GPL-2.0-or-later
// XArrays (`struct xarray`, since 4.20): one entry by index, or all of a range.

import { CorruptError, FaultError } from '../errors.ts'
import { type Space } from '../space/space.ts'
import { address, layout, pointer, uint } from '../types/layout.ts'
import { type Types } from '../types/type.ts'

/** 64 slots of 6 bits each: eleven levels hold every 64-bit index. */
const DEPTH_LIMIT = 11
const SLOTS = 64

/**
 * Takes runs of indexes. `entry` gets the halves of what all of them hold, both 0 for none. `first` is for pointers: the
 * index at which the entry begins, since one can cover a power of two of them, and a range can begin in its middle.
 */
export interface EntryVisitor {
  entry(index: number, count: number, low: number, high: number, first: number): void
  /** What leads to these indexes is not in the dump. */
  lost(index: number, count: number, error: FaultError): void
}

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
   * What `find` gives for each of `count` indexes from `from` on, in order and without gaps: one visit for an empty
   * stretch or a large entry, and for neighbours in a node that hold the same. Each node is read once.
   */
  scan(array: bigint, from: number, count: number, visit: EntryVisitor): void {
    const to = from + count
    const head = orLost(from, to, visit, () => this.#array.at(this.#space, array).head)
    if (head === undefined) return
    if (isNode(head)) {
      this.#scanNode(head, 64, from, to, visit)
      return
    }
    // A single entry in the head is the one at index 0.
    const behind = Math.max(from, 1)
    if (from === 0 && to > 0) {
      const entry = (head & 3n) === 2n ? 0n : head
      visit.entry(0, 1, Number(entry & 0xffffffffn), Number(entry >> 32n), 0)
    }
    if (behind < to) visit.entry(behind, to - behind, 0, 0, behind)
  }

  /** Indexes under a node that hangs in a slot of a node with shift `above`, or in the head: 64. */
  #scanNode(entry: bigint, above: number, from: number, to: number, visit: EntryVisitor): void {
    const node = this.#node.at(this.#space, entry - 2n)
    const shift = orLost(from, to, visit, () => node.shift)
    if (shift === undefined) return
    // Each level must be lower than the one above it, which is what ends the walk.
    if (shift >= above) {
      throw new CorruptError('xa_node.shift', node.address, `${shift} below ${above}`)
    }
    const span = 2 ** shift
    // An index beyond the tree is not in it.
    const end = above === 64 ? Math.max(from, Math.min(to, SLOTS * span)) : to
    const { words, faults } = this.#slots(node.slots)
    const run = { at: from, low: 0, high: 0, first: -1 }
    const endRun = (at: number): void => {
      if (at > run.at) visit.entry(run.at, at - run.at, run.low, run.high, run.first)
    }
    for (let at = from; at < end;) {
      const index = Math.floor(at / span)
      const next = Math.min(end, (index + 1) * span)
      let slot = index % SLOTS
      // An entry's other slots lead to its first one.
      if (isSiblingWord(words[2 * slot] ?? 0, words[2 * slot + 1] ?? 0)) {
        slot = (words[2 * slot] ?? 0) >>> 2
      }
      let low = words[2 * slot] ?? 0
      let high = words[2 * slot + 1] ?? 0
      const fault = faults?.[slot]
      const isInternal = (low & 3) === 2
      if (fault !== undefined || (isInternal && (high !== 0 || low > 4096))) {
        endRun(at)
        if (fault !== undefined) visit.lost(at, next - at, fault)
        else this.#scanNode((BigInt(high) << 32n) | BigInt(low), shift, at, next, visit)
        run.at = next
      } else {
        if (isInternal) low = high = 0
        const isPointer = (low & 1) === 0 && (low !== 0 || high !== 0)
        const first = isPointer ? (index - (index % SLOTS) + slot) * span : at
        if (
          run.at === at ||
          low !== run.low ||
          high !== run.high ||
          (isPointer && first !== run.first)
        ) {
          endRun(at)
          run.at = at
          run.low = low
          run.high = high
          run.first = first
        }
      }
      at = next
    }
    endRun(end)
    if (end < to) visit.entry(end, to - end, 0, 0, end)
  }

  /** The slots of a node as halves, and for those that are not in the dump why; their halves are 0. */
  #slots(slots: bigint): { words: Uint32Array; faults?: FaultError[] } {
    try {
      return { words: new Uint32Array(this.#space.bytes(slots, 8 * SLOTS).buffer) }
    } catch (error) {
      if (!(error instanceof FaultError)) throw error
    }
    const words = new Uint32Array(2 * SLOTS)
    const faults: FaultError[] = []
    for (let slot = 0; slot < SLOTS; slot++) {
      try {
        const entry = this.#slot(slots, slot)
        words[2 * slot] = Number(entry & 0xffffffffn)
        words[2 * slot + 1] = Number(entry >> 32n)
      } catch (error) {
        if (!(error instanceof FaultError)) throw error
        faults[slot] = error
      }
    }
    return { words, faults }
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

function isSiblingWord(low: number, high: number): boolean {
  return (low & 3) === 2 && high === 0 && low < SLOTS * 4
}

/** What is read; undefined, and told, when it is not in the dump. */
function orLost<T>(from: number, to: number, visit: EntryVisitor, read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof FaultError)) throw error
    visit.lost(from, to - from, error)
    return undefined
  }
}
