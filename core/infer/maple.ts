// SPDX-License-Identifier: GPL-2.0-or-later
// Maple trees without types: the nodes' form follows from their 256 bytes (include/linux/maple_tree.h, since 6.1).

import { type Ground } from './ground.ts'

/** Pivots begin behind the parent pointer; slots follow pivots. By enum maple_type: leaf_64, range_64, arange_64. */
const range = { pivots: 15, slotsAt: 0x80 }
const arange = { pivots: 9, slotsAt: 0x50 }
export const mapleForms = { range, arange, pivotsAt: 8, rangeEndAt: 0xf8, arangeEndAt: 0xf0 }
const NODE_MASK = ~0xffn
const TOP = (1n << 64n) - 1n
const MAX_DEPTH = 20

/** An entry of a tree, and the range that it stands for; both bounds inclusive. */
export interface MapleEntry {
  readonly first: bigint
  readonly last: bigint
  readonly entry: bigint
}

/** True for a word that can be the root of a tree with nodes. */
export function isMapleNode(ground: Ground, entry: bigint | undefined): entry is bigint {
  return ground.isPointer(entry) && (entry & 3n) === 2n && isKnownType(entry)
}

function isKnownType(entry: bigint): boolean {
  const type = (entry >> 3n) & 0xfn
  return type >= 1n && type <= 3n
}

/** All entries of a tree in order; undefined when a node contradicts itself or is not in the dump. */
export function mapleEntries(ground: Ground, root: bigint): MapleEntry[] | undefined {
  const entries: MapleEntry[] = []
  const go = (node: bigint, first: bigint, last: bigint, depth: number): boolean => {
    if (depth > MAX_DEPTH || !ground.isPointer(node) || !isKnownType(node)) return false
    const type = Number((node >> 3n) & 0xfn)
    const form = type === 3 ? arange : range
    const block = ground.block(node & NODE_MASK, 256)
    if (block.length < 256) return false
    let from = first
    for (let i = 0; i <= form.pivots; i++) {
      const pivot = i < form.pivots ? (block.word(mapleForms.pivotsAt + 8 * i) ?? 0n) : last
      // The last slot in use ends with the node, whether its pivot is kept or not.
      const to = pivot === 0n && i > 0 ? last : pivot
      const entry = block.word(form.slotsAt + 8 * i) ?? 0n
      if (to < from || to > last) return false
      if (entry !== 0n && type === 1) entries.push({ first: from, last: to, entry })
      else if (entry !== 0n && !go(entry, from, to, depth + 1)) return false
      if (to === last) return true
      from = to + 1n
    }
    return true
  }
  return go(root, 0n, TOP, 0) ? entries : undefined
}
