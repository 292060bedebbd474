// SPDX-License-Identifier: GPL-2.0-or-later
// What a built kernel's page cache, swap cache and pids hang on: XArrays, or the radix trees of seven kernels before.

/** `xarray`, or the kernel whose radix trees these are. */
export type TreeForm = 'xarray' | '2.6.32' | '3.8' | '3.10' | '4.4' | '4.9' | '4.15' | '4.19'

/** How one form has what hangs on its trees. */
export interface TreeText {
  readonly types: string
  /** Whether the root has the height too. */
  readonly hasHeight: boolean
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
const byHeight: TreeText = {
  types: [oldRoot, node('unsigned int height;')].join('\n'),
  hasHeight: true,
  head: (height) => ({ height }),
  isTagged: false,
  member: 'page_tree',
  spaces: 'one',
  typeShift: 57,
  hasIdr: false,
}
const byShift: TreeText = {
  ...byHeight,
  types: [newRoot, node('unsigned char shift, offset;')].join('\n'),
  hasHeight: false,
  head: (height, offset) => ({ shift: height * 6 - 6, offset }),
  isTagged: true,
  spaces: 'in runs',
  typeShift: 0,
  hasIdr: true,
}
/** The text of each form of radix trees. */
export const treeTexts: Record<TreeForm, TreeText | undefined> = {
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
  return treeTexts[form]?.types ?? 'struct xarray { unsigned int lock; void *xa_head; };'
}

/** `struct address_space`, which needs those. */
export function mappingType(form: TreeForm): string {
  const text = treeTexts[form]
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
  return treeTexts[form]?.hasIdr ?? false
}

/** The symbol of the swap cache, and its size for so many devices. */
export function swapSymbol(form: TreeForm, devices: number, size: number): [string, number] {
  const spaces = treeTexts[form]?.spaces ?? 'in runs'
  if (spaces === 'one') return ['swapper_space', size]
  return ['swapper_spaces', devices * (spaces === 'by type' ? size : 8)]
}
