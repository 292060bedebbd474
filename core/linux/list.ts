// SPDX-License-Identifier: GPL-2.0-or-later
// Linked lists of the kernel (`struct list_head`, `struct hlist_node`), walked with a limit and a cycle check.

import { CorruptError, FaultError } from '../errors.ts'
import { type Space } from '../space/space.ts'
import { type Damage, isDamage, isGap } from './partial.ts'

/** No list of a host is longer: PID_MAX_LIMIT of include/linux/threads.h is 4 Mi. */
const LIMIT = 4 << 20

/**
 * The nodes of a circular list, without its head. `what` names the list in errors. Throws CorruptError when a link is
 * NULL or the list turns in a circle that does not meet its head.
 */
export function* listNodes(space: Space, head: bigint, what: string): Generator<bigint> {
  yield* follow(space, space.u64(head), head, what)
}

/** What a circular list still shows when a part of it cannot be read. */
export interface BrokenList {
  /** The nodes that are known, in the list's order. A node is known by who points at it: its own page may be missing. */
  readonly nodes: readonly bigint[]
  /** The first link that could not be read or followed, or undefined when all could. */
  readonly fault: Damage | undefined
  /** How many nodes were reached forward; those behind are known from the list's end. */
  readonly reached: number
  /** True when only pages are missing and both walks met, so that no node between them is unknown. */
  readonly isWhole: boolean
}

/**
 * The nodes of a circular list, forward until a page of it is missing or a link cannot be, and then backward from its
 * end (`list_head.prev`). No more than `most` nodes from either end.
 */
export function listFromBothEnds(
  space: Space,
  head: bigint,
  what: string,
  most = LIMIT,
): BrokenList {
  const forward = walkUntilDamage(space, head, 0n, what, most)
  const nodes = forward.nodes
  const { fault } = forward
  if (fault === undefined) return { nodes, fault, reached: nodes.length, isWhole: true }
  const backward = walkUntilDamage(space, head, 8n, what, most)
  const last = nodes.at(-1)
  // Where both walks meet, the last node that was reached forward is among those reached backward.
  const met = last === undefined ? -1 : backward.nodes.indexOf(last)
  const known = new Set(nodes)
  const behind = (met < 0 ? backward.nodes : backward.nodes.slice(0, met)).reverse()
  return {
    nodes: [...nodes, ...behind.filter((node) => !known.has(node))],
    fault,
    reached: nodes.length,
    isWhole: met >= 0 && isGap(fault),
  }
}

/**
 * The nodes of a circular list one by one, as listNodes gives them; but when it cannot be followed to its end, first all
 * that are known from there, and only then the error is thrown, unless only pages are missing and nothing is left out.
 */
export function* knownNodes(space: Space, head: bigint, what: string): Generator<bigint> {
  const given = new Set<bigint>()
  let last = head
  try {
    for (const node of listNodes(space, head, what)) {
      yield node
      given.add(node)
      last = node
    }
  } catch (error) {
    const isHeadGone = error instanceof FaultError && error.address === head
    if (!isDamage(error) || isHeadGone) throw error
    if (isGap(error)) {
      // The node that cannot be read is still known by the one before it.
      last = space.u64(last)
      yield last
    }
    const { nodes } = walkUntilDamage(space, head, 8n, what, LIMIT)
    const met = nodes.indexOf(last)
    for (const node of (met < 0 ? nodes : nodes.slice(0, met)).reverse()) {
      if (!given.has(node)) yield node
    }
    if (met < 0 || !isGap(error)) throw error
  }
}

/** `link` is the offset of the pointer that is followed: 0 is `next`, 8 is `prev`. */
function walkUntilDamage(
  space: Space,
  head: bigint,
  link: bigint,
  what: string,
  most: number,
): { nodes: bigint[]; fault: Damage | undefined } {
  const nodes = new Set<bigint>()
  try {
    for (let at = head; nodes.size < most;) {
      const next = nextOf(space, at + link, what, nodes.size)
      if (next === head) break
      const count = `after ${nodes.size} entries`
      if (next === 0n) throw new CorruptError(what, 0n, `a NULL link ${count}`)
      if (nodes.has(next)) throw new CorruptError(what, next, `a cycle ${count}`)
      nodes.add(next)
      at = next
    }
    return { nodes: [...nodes], fault: undefined }
  } catch (error) {
    if (!isDamage(error)) throw error
    const all = [...nodes]
    // A link that leads nowhere leads to no node.
    if (error instanceof FaultError && !error.isGap) all.pop()
    return { nodes: all, fault: error }
  }
}

/** The nodes of a list that ends with NULL, from its first node; the link is each node's first member. */
export function* chainNodes(space: Space, first: bigint, what: string): Generator<bigint> {
  yield* follow(space, first, 0n, what)
}

function nextOf(space: Space, node: bigint, what: string, count: number): bigint {
  try {
    return space.u64(node)
  } catch (error) {
    if (!(error instanceof FaultError)) throw error
    throw error.neededFor(`${what}, entry ${count}`)
  }
}

function* follow(space: Space, first: bigint, end: bigint, what: string): Generator<bigint> {
  // A node that comes again is never given twice: those before it are the ones to trust.
  const given = new Set<bigint>()
  for (let node = first; node !== end;) {
    const count = `after ${given.size} entries`
    if (node === 0n) throw new CorruptError(what, end, `a NULL link ${count}`)
    if (given.has(node)) throw new CorruptError(what, node, `a cycle ${count}`)
    if (given.size >= LIMIT) throw new CorruptError(what, node, `more than ${LIMIT} entries`)
    given.add(node)
    // Read before the caller looks at the node, so that a link that leads nowhere is told as one of this list.
    const next = nextOf(space, node, what, given.size)
    yield node
    node = next
  }
}
