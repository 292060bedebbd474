// SPDX-License-Identifier: GPL-2.0-or-later
// The path of a file of which only the inode is known, as the page cache knows it.

import { address, layout, optional, pointer, uint } from '../types/layout.ts'
import { type Host } from './host.ts'
import { chainNodes } from './list.ts'
import { type Paths } from './path.ts'

/** A file by its inode. */
export interface InodeName {
  /** As the kernel would print it, or null when no name of it is in memory any more. */
  readonly path: string | null
  readonly inode: bigint
  /** The type of its file system: `ext4`, `tmpfs`, `bdev`. */
  readonly fileSystem: string
  /** The number of a block device, `253:1`, for the page cache of the device itself. */
  readonly device: string | null
}

/** Names of inodes of one host. */
export class InodePaths {
  readonly #host: Host
  readonly #paths: Paths
  readonly #inode
  readonly #entry
  readonly #superBlock
  readonly #mount

  constructor(host: Host, paths: Paths) {
    const { types } = host
    this.#host = host
    this.#paths = paths
    this.#inode = layout(types, 'inode', {
      number: pointer('i_ino'),
      superBlock: pointer('i_sb'),
      names: pointer('i_dentry.first'),
      device: uint('i_rdev'),
    })
    // In a union with what only dying entries need; the union lost its name in 7.x.
    this.#entry = layout(types, 'dentry', { name: address('d_u.d_alias', 'd_alias') })
    // A list of mounts through mnt_instance; since 6.17 a pointer to the first mount itself.
    this.#superBlock = layout(types, 'super_block', {
      firstMount: pointer('s_mounts.next', 's_mounts'),
    })
    this.#mount = layout(types, 'mount', {
      vfsmount: address('mnt'),
      instance: optional(address('mnt_instance')),
    })
  }

  /** The name of an inode. Throws FaultError when the dump lacks it. */
  of(inodeAddress: bigint): InodeName {
    const { space } = this.#host
    const inode = this.#inode.at(space, inodeAddress)
    const fileSystem = this.#paths.fileSystemOf(inode.superBlock)
    const device = fileSystem === 'bdev' ? `${inode.device >>> 20}:${inode.device & 0xfffff}` : null
    return { path: this.#pathOf(inode), inode: inode.number, fileSystem, device }
  }

  #pathOf(inode: { readonly names: bigint; readonly superBlock: bigint }): string | null {
    const { space } = this.#host
    const [node] = chainNodes(space, inode.names, 'inode.i_dentry')
    if (node === undefined) return null
    const dentry = node - BigInt(this.#entry.offset('name'))
    return this.#paths.ofEntry(this.#mountOf(inode.superBlock), dentry)
  }

  /** The first mount of a file system; its root is the file system's in all but bind mounts. */
  #mountOf(superBlock: bigint): bigint {
    const { space } = this.#host
    const { firstMount } = this.#superBlock.at(space, superBlock)
    const node = this.#mount.has('instance') ? BigInt(this.#mount.offset('instance')) : 0n
    return firstMount - node + BigInt(this.#mount.offset('vfsmount'))
  }
}
