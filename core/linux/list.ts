// SPDX-License-Identifier: GPL-2.0-or-later
// Linked lists of the kernel (`struct list_head`, `struct hlist_node`), walked with a limit and a cycle check.

import { CorruptError, FaultError } from '../errors.ts'
import { type Space } from '../space/space.ts'

/** No list of a host is longer: PID_MAX_LIMIT of include/linux/threads.h is 4 Mi. */
const LIMIT = 4 << 20

/**
 * The nodes of a circular list, without its head. `what` names the list in errors. Throws CorruptError when a link is
 * NULL or the list turns in a circle that does not meet its head.
 */
export function* listNodes(space: Space, head: bigint, what: string): Generator<bigint> {
  yield* follow(space, space.u64(head), head, what)
}

/** What a circular list still shows when pages of it are missing. */
export interface BrokenList {
  /** The nodes that are known, in the list's order. A node is known by who points at it: its own page may be missing. */
  readonly nodes: readonly bigint[]
  /** The first link that could not be read, or undefined when all could. */
  readonly fault: FaultError | undefined
  /** How many nodes were reached forward; those behind are known from the list's end. */
  readonly reached: number
  /** True when both walks met, so that no node between them is unknown. */
  readonly isWhole: boolean
}

/**
 * The nodes of a circular list, forward until a page of it is missing and then backward from its end (`list_head.prev`).
 * No more than `most` nodes from either end. Throws CorruptError when a link is NULL or there is a cycle.
 */
export function listFromBothEnds(
  space: Space,
  head: bigint,
  what: string,
  most = LIMIT,
): BrokenList {
  const forward = walkUntilGap(space, head, 0n, what, most)
  const nodes = forward.nodes
  if (forward.fault === undefined) {
    return { nodes, fault: undefined, reached: nodes.length, isWhole: true }
  }
  const backward = walkUntilGap(space, head, 8n, what, most)
  const last = nodes.at(-1)
  // Where both walks meet, the last node that was reached forward is among those reached backward.
  const met = last === undefined ? -1 : backward.nodes.indexOf(last)
  const behind = met < 0 ? backward.nodes : backward.nodes.slice(0, met)
  return {
    nodes: [...nodes, ...behind.reverse()],
    fault: forward.fault,
    reached: nodes.length,
    isWhole: met >= 0,
  }
}

/**
 * The nodes of a circular list one by one, as listNodes gives them; but when a page of it is missing, first all that
 * are known from its end, and only then the fault is thrown, unless nothing is left out.
 */
export function* knownNodes(space: Space, head: bigint, what: string): Generator<bigint> {
  let last = head
  try {
    for (const node of listNodes(space, head, what)) {
      yield node
      last = node
    }
  } catch (error) {
    if (!(error instanceof FaultError) || !error.isGap || error.address === head) throw error
    // The node that cannot be followed is still known by the one before it.
    const next = space.u64(last)
    yield next
    const { nodes } = walkUntilGap(space, head, 8n, what, LIMIT)
    const met = nodes.indexOf(next)
    yield* (met < 0 ? nodes : nodes.slice(0, met)).reverse()
    if (met < 0) throw error
  }
}

/** `link` is the offset of the pointer that is followed: 0 is `next`, 8 is `prev`. */
function walkUntilGap(
  space: Space,
  head: bigint,
  link: bigint,
  what: string,
  most: number,
): { nodes: bigint[]; fault: FaultError | undefined } {
  const nodes = new Set<bigint>()
  for (let at = head; nodes.size < most;) {
    let next: bigint
    try {
      next = nextOf(space, at + link, what, nodes.size)
    } catch (error) {
      if (error instanceof FaultError && error.isGap) return { nodes: [...nodes], fault: error }
      throw error
    }
    if (next === head) break
    const count = `after ${nodes.size} entries`
    if (next === 0n) throw new CorruptError(what, 0n, `a NULL link ${count}`)
    if (nodes.has(next)) throw new CorruptError(what, next, `a cycle ${count}`)
    nodes.add(next)
    at = next
  }
  return { nodes: [...nodes], fault: undefined }
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
  // Brent's cycle check: a marker that moves to where we are each time the distance to it doubles.
  let marker = 0n
  let power = 1
  let distance = 0
  let count = 0
  for (let node = first; node !== end;) {
    if (node === 0n) throw new CorruptError(what, end, `a NULL link after ${count} entries`)
    if (node === marker) throw new CorruptError(what, node, `a cycle after ${count} entries`)
    if (++count > LIMIT) throw new CorruptError(what, node, `more than ${LIMIT} entries`)
    if (++distance === power) {
      marker = node
      power *= 2
      distance = 0
    }
    // Read before the caller looks at the node, so that a link that leads nowhere is told as one of this list.
    const next = nextOf(space, node, what, count)
    yield node
    node = next
  }
}
