// SPDX-License-Identifier: GPL-2.0-or-later
// What entries by number hang on, by the kernel: the page cache, the swap cache, pids.

import { type Space } from '../space/space.ts'
import { type Types } from '../types/type.ts'
import { RadixTrees } from './radixtree.ts'
import { XArrays } from './xarray.ts'

/** XArrays or radix trees of one kernel. Entries are pointers, or values above bit 0, which is then set. */
export interface Trees {
  /** The entry at `index`, or 0n when there is none. */
  load(tree: bigint, index: number): bigint
  /** The same, with the first index that the entry stands for. */
  find(tree: bigint, index: number): { entry: bigint; first: number }
  /** Every entry in the order of the indexes. Throws CorruptError after `limit` entries and nodes. */
  entries(tree: bigint, limit: number): Iterable<bigint>
}

/** The trees of a kernel: radix trees until 4.19; then their names are other names of `struct xarray`. */
export function treesOf(space: Space, types: Types): Trees {
  return types.has('radix_tree_root') ? new RadixTrees(space, types) : new XArrays(space, types)
}
