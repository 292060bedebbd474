// SPDX-License-Identifier: GPL-2.0-or-later
// Writes the radix trees of a built kernel: entries by number, and the swap cache.

import { type BuiltKernel } from './kernel.ts'
import { treeTexts } from './treeforms.ts'

/** Writes a radix tree with these entries into the root at an address. */
export function makeTree(
  kernel: BuiltKernel,
  root: bigint,
  entries: readonly (readonly [index: bigint, entry: bigint])[],
): void {
  const text = treeTexts[kernel.forms.trees]
  if (text === undefined) throw new Error('no radix trees')
  const below = (height: number, part: typeof entries, offset: number): bigint => {
    if (height === 0) return part[0]?.[1] ?? 0n
    const at = kernel.make('radix_tree_node', text.head(height, offset))
    const slotOf = (index: bigint) => Number((index >> BigInt(6 * height - 6)) & 63n)
    for (const slot of new Set(part.map(([index]) => slotOf(index)))) {
      const mine = part.filter(([index]) => slotOf(index) === slot)
      const tag = text.isTagged && height > 1 ? 1n : 0n
      kernel.set('radix_tree_node', at, {
        [`slots[${slot}]`]: below(height - 1, mine, slot) | tag,
      })
    }
    return at
  }
  let height = 0
  while (entries.some(([index]) => index >> BigInt(6 * height) > 0n)) height++
  const rnode = below(height, entries, 0) | (height > 0 ? 1n : 0n)
  const own = text.hasHeight ? { height } : {}
  kernel.set('radix_tree_root', root, { rnode, ...own })
}

/** The address of the tree in an `address_space`. */
export function treeIn(kernel: BuiltKernel, mapping: bigint): bigint {
  return kernel.member('address_space', mapping, treeTexts[kernel.forms.trees]?.member ?? 'i_pages')
}

/** A value in a tree, as shared memory keeps the place of a swapped page: swp_to_radix_entry of include/linux/swapops.h. */
export function swapValue(type: number, offset: number): bigint {
  return (((BigInt(type) << 57n) + BigInt(offset)) << 2n) | 2n
}

/** Pages of swap devices in the cache: type, offset, address of the struct page. */
export type CachedPage = readonly [type: number, offset: number, page: bigint]

/** Writes the swap cache of all devices into radix trees. */
export function makeSwapCache(kernel: BuiltKernel, pages: readonly CachedPage[]): void {
  const text = treeTexts[kernel.forms.trees]
  if (text === undefined) throw new Error('no radix trees')
  const key = (type: number, offset: number) =>
    text.typeShift === 0
      ? BigInt(offset)
      : (BigInt(type) << BigInt(text.typeShift)) + BigInt(offset)
  const fill = (mapping: bigint, mine: readonly CachedPage[]) => {
    const entries = mine.map(([type, offset, page]) => [key(type, offset), page] as const)
    makeTree(kernel, treeIn(kernel, mapping), entries)
  }
  if (text.spaces === 'one') {
    fill(kernel.symbol('swapper_space'), pages)
    return
  }
  const size = kernel.types.sizeOf('address_space') ?? 0
  for (const type of new Set(pages.map(([of]) => of))) {
    const mine = pages.filter(([of]) => of === type)
    const spaces = kernel.symbol('swapper_spaces')
    if (text.spaces === 'by type') {
      fill(spaces + BigInt(type * size), mine)
      continue
    }
    const runOf = (offset: number) => Math.floor(offset / 16384)
    const runs = kernel.room(size * (1 + Math.max(...mine.map(([, offset]) => runOf(offset)))))
    for (const run of new Set(mine.map(([, offset]) => runOf(offset)))) {
      const part = mine.filter(([, offset]) => runOf(offset) === run)
      fill(runs + BigInt(run * size), part)
    }
    kernel.memory.u64(kernel.hpa(spaces) + 8 * type, runs)
  }
}
