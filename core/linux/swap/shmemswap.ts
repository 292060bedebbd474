// SPDX-License-Identifier: GPL-2.0-or-later
// Swapped pages of shared memory in kernels that keep their entries outside of the page cache: until 3.0.

import { UnsupportedError } from '../../errors.ts'
import { address, layout, optional, uint } from '../../types/layout.ts'
import { type Host } from '../host.ts'

/** What one kernel's shared memory says of swap beside its page cache. */
export class ShmemSwap {
  readonly #host: Host
  /** One swapper_space: until 3.8. Later kernels have the places of swapped pages in the page cache for sure. */
  readonly #isOld: boolean

  constructor(host: Host) {
    this.#host = host
    this.#isOld =
      host.types.has('radix_tree_root') && host.symbols.address('swapper_spaces') === undefined
  }

  /**
   * Throws UnsupportedError when a page that the page cache of this inode lacks can be swapped out, since its place is
   * in a table of shared memory's own (`i_direct`, `i_indirect` of mm/shmem.c, until 3.0), and MissingError when the
   * types do not tell whether there is one.
   */
  refuse(inode: bigint): void {
    if (!this.#isOld) return
    const info = layout(this.#host.types, 'shmem_inode_info', {
      swapped: uint('swapped'),
      inode: address('vfs_inode'),
      direct: optional(address('i_direct')),
    })
    if (!info.has('direct')) return
    const { swapped } = info.at(this.#host.space, inode - BigInt(info.offset('inode')))
    if (swapped === 0) return
    const problem = `pages of this shared memory are swapped out (${swapped} in all), and this kernel keeps where in shmem_inode_info.i_direct, which is not read`
    throw new UnsupportedError(problem, 'shared memory in swap before 3.1')
  }
}
