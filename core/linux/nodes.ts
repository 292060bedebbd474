// SPDX-License-Identifier: GPL-2.0-or-later
// The NUMA nodes of the host that have memory.

import { DumpError } from '../errors.ts'
import { layout, u64 } from '../types/layout.ts'
import { type Host } from './host.ts'

/** MAX_NUMNODES is 1024 at most (NODES_SHIFT of arch/x86/Kconfig). */
const MOST_NODES = 1024

/**
 * The numbers of the nodes whose `node_data` says that they have pages; since 5.18 possible nodes have one, too. Node 0
 * alone for kernels without NUMA, and when the dump does not tell.
 */
export function nodesOf(host: Host): number[] {
  try {
    const data = host.symbols.address('node_data') ?? host.vmcoreinfo.symbol('node_data')
    const length = Math.min(host.vmcoreinfo.length('node_data') ?? 1, MOST_NODES)
    if (data === undefined) return [0]
    const node = layout(host.types, 'pglist_data', { pages: u64('node_present_pages') })
    const nodes: number[] = []
    for (let i = 0; i < length; i++) {
      const at = host.space.u64(data + BigInt(8 * i))
      if (at !== 0n && node.at(host.space, at).pages > 0n) nodes.push(i)
    }
    return nodes.length > 0 ? nodes : [0]
  } catch (error) {
    if (!(error instanceof DumpError)) throw error
    return [0]
  }
}
