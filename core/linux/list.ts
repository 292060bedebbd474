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
