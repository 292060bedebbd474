// SPDX-License-Identifier: GPL-2.0-or-later
// Red-black trees without types: the form of rb_node never changed, and every node names its parent.

import { type Ground, WALK_LIMIT } from './ground.ts'

/** `struct rb_node` of include/linux/rbtree.h: parent and colour in one word, then right, then left. */
export const rbNode = { parent: 0, right: 8, left: 16, size: 24 }

/** True for a word that can be the root of a tree: its node is black and has no parent. */
export function isRbRoot(ground: Ground, top: bigint | undefined): top is bigint {
  return ground.isPointer(top) && (top & 7n) === 0n && ground.word(top) === 1n
}

/** The nodes of a tree in order; undefined when a node does not name its parent. */
export function rbNodes(ground: Ground, top: bigint): bigint[] | undefined {
  const nodes: bigint[] = []
  const go = (node: bigint, parent: bigint, depth: number): boolean => {
    const link = ground.word(node)
    if (link === undefined || (link & ~3n) !== parent || depth > 64) return false
    const left = ground.word(node + BigInt(rbNode.left))
    const right = ground.word(node + BigInt(rbNode.right))
    if (left === undefined || right === undefined) return false
    if (left !== 0n && (!ground.isPointer(left) || !go(left, node, depth + 1))) return false
    if (nodes.push(node) > WALK_LIMIT) return false
    return right === 0n || (ground.isPointer(right) && go(right, node, depth + 1))
  }
  return go(top, 0n, 0) ? nodes : undefined
}
