// SPDX-License-Identifier: GPL-2.0-or-later
// Red-black trees of the kernel (`struct rb_node`), walked in order with a limit on depth and size.

import { CorruptError, FaultError } from '../errors.ts'
import { type Space } from '../space/space.ts'
import { layout, pointer } from '../types/layout.ts'
import { type Types } from '../types/type.ts'

/** A balanced tree of 2^32 nodes is at most this deep (2 log2(n + 1)). */
const DEPTH_LIMIT = 64

/** What a tree still shows when pages of it are missing. */
export interface BrokenTree {
  /** The nodes that could be read, in no order. */
  readonly nodes: readonly bigint[]
  /** Nodes whose page is missing, and the nearest readable ones on either side; what hangs below them is unknown. */
  readonly missing: readonly {
    readonly node: bigint
    readonly below: bigint | undefined
    readonly above: bigint | undefined
  }[]
}

/** Walks red-black trees of one kernel. */
export class RbTrees {
  readonly #space: Space
  readonly #node

  constructor(space: Space, types: Types) {
    this.#space = space
    this.#node = layout(types, 'rb_node', {
      right: pointer('rb_right'),
      left: pointer('rb_left'),
    })
  }

  /**
   * The nodes below `top` (`rb_root.rb_node`) in order. Throws CorruptError when the tree is deeper than any balanced
   * tree can be, or holds more than `limit` nodes: that is what a loop looks like.
   */
  *nodes(top: bigint, what: string, limit: number): Generator<bigint> {
    const above: { address: bigint; right: bigint }[] = []
    const given = new Set<bigint>()
    let node = top
    while (node !== 0n || above.length > 0) {
      while (node !== 0n) {
        if (above.length >= DEPTH_LIMIT) {
          throw new CorruptError(what, node, `deeper than ${DEPTH_LIMIT} nodes: a loop`)
        }
        const record = this.#node.at(this.#space, node)
        above.push({ address: node, right: record.right })
        node = record.left
      }
      const next = above.pop()
      if (next === undefined) return
      if (given.has(next.address)) throw new CorruptError(what, next.address, 'comes twice: a loop')
      if (given.size >= limit)
        throw new CorruptError(what, next.address, `more than ${limit} nodes`)
      given.add(next.address)
      yield next.address
      node = next.right
    }
  }

  /** The nodes below `top` that can be reached while pages of the tree are missing. Throws CorruptError as `nodes` does. */
  remains(top: bigint, what: string, limit: number): BrokenTree {
    const nodes: bigint[] = []
    const missing: BrokenTree['missing'][number][] = []
    const visit = (
      node: bigint,
      below: bigint | undefined,
      above: bigint | undefined,
      depth = 1,
    ) => {
      if (node === 0n) return
      if (depth > DEPTH_LIMIT) {
        throw new CorruptError(what, node, `deeper than ${DEPTH_LIMIT} nodes: a loop`)
      }
      if (nodes.length >= limit) throw new CorruptError(what, node, `more than ${limit} nodes`)
      const children = this.#childrenOf(node)
      if (children === undefined) {
        missing.push({ node, below, above })
        return
      }
      nodes.push(node)
      visit(children.left, below, node, depth + 1)
      visit(children.right, node, above, depth + 1)
    }
    visit(top, undefined, undefined)
    return { nodes, missing }
  }

  #childrenOf(node: bigint): { left: bigint; right: bigint } | undefined {
    try {
      const { left, right } = this.#node.at(this.#space, node)
      return { left, right }
    } catch (error) {
      if (error instanceof FaultError && error.isGap) return undefined
      throw error
    }
  }

  /**
   * Searches from `top`: `compare` says for a node whether to go left (below 0), right (above 0), or to stop (0).
   * Gives every node that was stopped at or last turned left at, so that a caller can search for the first node that
   * ends above an address; undefined when there is none.
   */
  search(top: bigint, what: string, compare: (node: bigint) => number): bigint | undefined {
    let best: bigint | undefined
    let depth = 0
    for (let node = top; node !== 0n;) {
      if (++depth > DEPTH_LIMIT) throw new CorruptError(what, node, 'too deep: a loop')
      const way = compare(node)
      if (way === 0) return node
      const record = this.#node.at(this.#space, node)
      if (way < 0) best = node
      node = way < 0 ? record.left : record.right
    }
    return best
  }
}
