// SPDX-License-Identifier: GPL-2.0-or-later
// What a built kernel's page cache, swap cache and pids hang on: XArrays, or the radix trees of seven kernels before.

import { type BuiltKernel } from './kernel.ts'

/** `xarray`, or the kernel whose radix trees these are. */
export type TreeForm = 'xarray' | '2.6.32' | '3.8' | '3.10' | '4.4' | '4.9' | '4.15' | '4.19'

/** How one form has what hangs on its trees. */
interface Text {
  readonly types: string
  /** The members of `radix_tree_node` by height (1 at the bottom) and place in the parent. */
  head(height: number, offset: number): Record<string, number>
  /** Whether pointers to nodes below the root are tagged too. */
  readonly isTagged: boolean
  /** The tree in `struct address_space`. */
  readonly member: string
  /** One swapper_space; an array of them; pointers to arrays, one for each run of 16,384 pages. */
  readonly spaces: 'one' | 'by type' | 'in runs'
  /** Bits below the type in the number of a page in the swap cache; 0 where it is the offset alone. */
  readonly typeShift: number
  readonly hasIdr: boolean
}

const oldRoot = 'struct radix_tree_root { unsigned int height, gfp_mask; void *rnode; };'
const newRoot = 'struct radix_tree_root { unsigned int gfp_mask; void *rnode; };'
const node = (first: string) =>
  `struct radix_tree_node { ${first} unsigned int count; void *parent, *private_data; void *slots[64]; };`
const byHeight: Text = {
  types: [oldRoot, node('unsigned int height;')].join('\n'),
  head: (height) => ({ height }),
  isTagged: false,
  member: 'page_tree',
  spaces: 'one',
  typeShift: 57,
  hasIdr: false,
}
const byShift: Text = {
  ...byHeight,
  types: [newRoot, node('unsigned char shift, offset;')].join('\n'),
  head: (height, offset) => ({ shift: height * 6 - 6, offset }),
  isTagged: true,
  spaces: 'in runs',
  typeShift: 0,
  hasIdr: true,
}
const texts: Record<TreeForm, Text | undefined> = {
  xarray: undefined,
  '2.6.32': { ...byHeight, typeShift: 59 },
  '3.8': byHeight,
  '3.10': { ...byHeight, spaces: 'by type' },
  '4.4': {
    ...byHeight,
    types: [oldRoot, node('unsigned int path;')].join('\n'),
    head: (height, offset) => ({ path: height + (offset << 12) }),
    spaces: 'by type',
  },
  '4.9': { ...byShift, spaces: 'by type', hasIdr: false },
  '4.15': byShift,
  '4.19': { ...byShift, member: 'i_pages' },
}

/** The types of a form's trees, beside `struct xarray`. */
export function treeTypes(form: TreeForm): string {
  return texts[form]?.types ?? 'struct xarray { unsigned int lock; void *xa_head; };'
}

/** `struct address_space`, which needs those. */
export function mappingType(form: TreeForm): string {
  const text = texts[form]
  const tree =
    text === undefined ? 'struct xarray i_pages' : `struct radix_tree_root ${text.member}`
  return `struct address_space { struct inode *host; ${tree}; };`
}

/** `struct shmem_inode_info`, which needs `struct inode`. Until 3.0 it had the places of swapped pages itself. */
export function shmemType(form: TreeForm): string {
  const own = form === '2.6.32' ? 'unsigned long i_direct[16];' : ''
  return `struct shmem_inode_info { unsigned long swapped; ${own} struct inode vfs_inode; };`
}

/** Whether numbers of processes hang on an IDR in a radix tree. */
export function hasIdr(form: TreeForm): boolean {
  return texts[form]?.hasIdr ?? false
}

/** The symbol of the swap cache, and its size for so many devices. */
export function swapSymbol(form: TreeForm, devices: number, size: number): [string, number] {
  const spaces = texts[form]?.spaces ?? 'in runs'
  if (spaces === 'one') return ['swapper_space', size]
  return ['swapper_spaces', devices * (spaces === 'by type' ? size : 8)]
}

/** Writes a radix tree with these entries into the root at an address. */
export function makeTree(
  kernel: BuiltKernel,
  root: bigint,
  entries: readonly (readonly [index: bigint, entry: bigint])[],
): void {
  const text = texts[kernel.forms.trees]
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
  const own = text.types.includes(oldRoot) ? { height } : {}
  kernel.set('radix_tree_root', root, { rnode, ...own })
}

/** The address of the tree in an `address_space`. */
export function treeIn(kernel: BuiltKernel, mapping: bigint): bigint {
  return kernel.member('address_space', mapping, texts[kernel.forms.trees]?.member ?? 'i_pages')
}

/** A value in a tree, as shared memory keeps the place of a swapped page: swp_to_radix_entry of include/linux/swapops.h. */
export function swapValue(type: number, offset: number): bigint {
  return (((BigInt(type) << 57n) + BigInt(offset)) << 2n) | 2n
}

/** Pages of swap devices in the cache: type, offset, address of the struct page. */
export type CachedPage = readonly [type: number, offset: number, page: bigint]

/** Writes the swap cache of all devices into radix trees. */
export function makeSwapCache(kernel: BuiltKernel, pages: readonly CachedPage[]): void {
  const text = texts[kernel.forms.trees]
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
