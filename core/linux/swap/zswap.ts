// SPDX-License-Identifier: GPL-2.0-or-later
// zswap: compressed pages in front of a swap device (mm/zswap.c). Whether it has a page; its content is not read.

import { address, layout, optional, pointer, u64 } from '../../types/layout.ts'
import { type Host } from '../host.ts'
import { RbTrees } from '../rbtree.ts'
import { XArrays } from '../xarray.ts'

/** SWAP_ADDRESS_SPACE_SHIFT: one tree for 64 MiB of a device, since 6.8. */
const RUN = 16384
/** The offset in a swp_entry_t: below the type, which has the upper six bits. */
const OFFSET_BITS = 58

/** The pages that zswap holds back. */
export class Zswap {
  readonly #has: (type: number, offset: number) => boolean

  constructor(host: Host) {
    const trees = host.symbols.address('zswap_trees')
    if (trees === undefined) this.#has = () => false
    else {
      const isTree = host.types.struct('zswap_tree') !== undefined
      const has = isTree ? inTree(host) : inArrays(host)
      this.#has = (type, offset) => {
        // Made when the device is switched on, even while zswap is off.
        const tree = host.space.u64(trees + BigInt(type * 8))
        return tree !== 0n && has(tree, offset)
      }
    }
  }

  /** True when zswap has page `offset` of a device. */
  holds(type: number, offset: number): boolean {
    return this.#has(type, offset)
  }
}

/** XArrays by offset, since 6.9. */
function inArrays({ space, types }: Host): (tree: bigint, offset: number) => boolean {
  const arrays = new XArrays(space, types)
  const size = types.sizeOf('xarray') ?? 16
  return (tree, offset) =>
    arrays.load(tree + BigInt(Math.floor(offset / RUN) * size), offset) !== 0n
}

/** A red-black tree by offset, 3.11 to 6.8; in 6.8 one for each run. */
function inTree(host: Host): (tree: bigint, offset: number) => boolean {
  const { space, types, symbols } = host
  const trees = new RbTrees(space, types)
  const root = layout(types, 'zswap_tree', { top: pointer('rbroot.rb_node') })
  const entry = layout(types, 'zswap_entry', {
    node: address('rbnode'),
    // A swp_entry_t since 6.5.
    offset: optional(u64('offset')),
    entry: optional(u64('swpentry.val', 'swpentry')),
  })
  const node = BigInt(entry.offset('node'))
  const hasRuns = symbols.address('nr_zswap_trees') !== undefined
  return (tree, offset) => {
    const run = hasRuns ? Math.floor(offset / RUN) * root.size : 0
    const { top } = root.at(space, tree + BigInt(run))
    const found = trees.search(top, 'zswap_tree.rbroot', (candidate) => {
      const record = entry.at(space, candidate - node)
      const at = Number(record.offset ?? BigInt.asUintN(OFFSET_BITS, record.entry ?? 0n))
      return at < offset ? 1 : at > offset ? -1 : 0
    })
    return found !== undefined
  }
}
