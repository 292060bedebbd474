// SPDX-License-Identifier: GPL-2.0-or-later
// Paths of files as d_path() of fs/d_path.c prints them.

import { CorruptError } from '../errors.ts'
import { address, layout, optional, pointer, uint } from '../types/layout.ts'
import { type Host } from './host.ts'

/** PATH_MAX bytes of one-letter names. */
const DEPTH_LIMIT = 4096
/** A mount on a mount on a mount …; sysctl fs.mount-max is 100,000. */
const MOUNT_LIMIT = 100_000
/** NAME_MAX is 255; names that code makes up can be a little longer. */
const NAME_LIMIT = 4096
/** DCACHE_UNHASHED of include/linux/dcache.h, until 2.6.37. */
const UNHASHED = 0x10

/** What a file on an own pseudo file system is called: the d_dname functions of fs/anon_inodes.c, pipe.c, socket.c. */
const pseudoNames: Record<string, (name: string, inode: bigint) => string> = {
  anon_inodefs: (name) => `anon_inode:${name}`,
  pipefs: (_, inode) => `pipe:[${inode}]`,
  sockfs: (_, inode) => `socket:[${inode}]`,
}

/** Where a file is: its mount and its directory entry. */
interface Place {
  readonly mount: bigint
  readonly dentry: bigint
}

/** The paths of one host's files. */
export class Paths {
  readonly #host: Host
  readonly #file
  readonly #dentry
  readonly #isFlagged: boolean
  readonly #operations
  readonly #inode
  readonly #superBlock
  readonly #fsType
  readonly #vfsmount
  readonly #wrapped
  readonly #mount

  constructor(host: Host) {
    this.#host = host
    const { types } = host
    this.#file = layout(types, 'file', {
      mount: pointer('f_path.mnt'),
      dentry: pointer('f_path.dentry'),
      inode: optional(pointer('f_inode')),
    })
    this.#dentry = layout(types, 'dentry', {
      parent: pointer('d_parent'),
      name: pointer('d_name.name'),
      nameLength: uint('d_name.len'),
      inode: pointer('d_inode'),
      operations: pointer('d_op'),
      superBlock: pointer('d_sb'),
      hashed: pointer('d_hash.pprev'),
      flags: uint('d_flags'),
    })
    // Until 2.6.37, when its hash chains were plain ones, a flag said that an entry is not found by its name any more.
    this.#isFlagged = !types.has('hlist_bl_node') && types.whyMissing === undefined
    this.#operations = layout(types, 'dentry_operations', { dname: pointer('d_dname') })
    this.#inode = layout(types, 'inode', { number: pointer('i_ino') })
    this.#superBlock = layout(types, 'super_block', { type: pointer('s_type') })
    this.#fsType = layout(types, 'file_system_type', { name: pointer('name') })
    this.#vfsmount = layout(types, 'vfsmount', { root: pointer('mnt_root') })
    // `struct mount` wraps vfsmount since 3.3; before, vfsmount had its members.
    const isWrapped = types.struct('vfsmount')?.member('mnt_parent') === undefined
    this.#wrapped = isWrapped ? layout(types, 'mount', { vfsmount: address('mnt') }) : undefined
    this.#mount = layout(types, isWrapped ? 'mount' : 'vfsmount', {
      parent: pointer('mnt_parent'),
      mountpoint: pointer('mnt_mountpoint'),
    })
  }

  /** The path of a `struct file`. */
  ofFile(file: bigint): string {
    return this.#path(this.#file.at(this.#host.space, file))
  }

  /** The path of a directory entry (`struct dentry`) under a mount (`struct vfsmount`). */
  ofEntry(mount: bigint, dentry: bigint): string {
    return this.#path({ mount, dentry })
  }

  /** The name of a file's directory entry alone, and the type of the file system that it is on. */
  entryOf(file: bigint): { name: string; fileSystem: string } {
    const { dentry } = this.#file.at(this.#host.space, file)
    const record = this.#dentry.at(this.#host.space, dentry)
    return { name: this.#name(record), fileSystem: this.#fileSystem(record.superBlock) }
  }

  /** The address of a file's inode, or 0n: kept in the file itself since 3.9. */
  inodeOf(file: bigint): bigint {
    const { space } = this.#host
    const { inode, dentry } = this.#file.at(space, file)
    return inode ?? this.#dentry.at(space, dentry).inode
  }

  /** The name of the file system type of a super block: `tmpfs`, `hugetlbfs`, `ext4`. */
  #fileSystem(superBlock: bigint): string {
    const { space } = this.#host
    const { type } = this.#superBlock.at(space, superBlock)
    return space.text(this.#fsType.at(space, type).name, 64)
  }

  /** The name of the file system type that an inode's super block belongs to. */
  fileSystemOf(superBlock: bigint): string {
    return this.#fileSystem(superBlock)
  }

  #path(place: Place): string {
    const { space } = this.#host
    const entry = this.#dentry.at(space, place.dentry)
    const hasOwnName =
      entry.operations !== 0n && this.#operations.at(space, entry.operations).dname !== 0n
    if (hasOwnName && !this.#isRoot(place)) {
      const name = this.#name(entry)
      const make = pseudoNames[this.#fileSystem(entry.superBlock)]
      const inode = entry.inode === 0n ? 0n : this.#inode.at(space, entry.inode).number
      // simple_dname: shared memory and memfd files, which no directory holds.
      return make === undefined ? `/${name} (deleted)` : make(name, inode)
    }
    const isUnhashed = this.#isFlagged ? (entry.flags & UNHASHED) !== 0 : entry.hashed === 0n
    const isDeleted = isUnhashed && entry.parent !== entry.address
    return (this.#climb(place) || '/') + (isDeleted ? ' (deleted)' : '')
  }

  /** prepend_path: names from the file up to the root of its mount, then on from the place where that is mounted. */
  #climb(place: Place): string {
    const { space } = this.#host
    let path = ''
    let { mount, dentry } = place
    let mounts = 0
    for (let depth = 0; depth < DEPTH_LIMIT;) {
      const entry = this.#dentry.at(space, dentry)
      const atRoot = dentry === this.#vfsmount.at(space, mount).root
      if (atRoot || entry.parent === dentry) {
        const wrap = BigInt(this.#wrapped?.offset('vfsmount') ?? 0)
        const outer = this.#mount.at(space, mount - wrap)
        if (outer.parent === outer.address || !atRoot) {
          return this.#wrapped === undefined ? this.#below(entry, path) : path
        }
        if (++mounts > MOUNT_LIMIT) {
          const problem = `more than ${MOUNT_LIMIT} mounts above it: a cycle`
          throw new CorruptError('mount.mnt_parent', outer.address, problem)
        }
        dentry = outer.mountpoint
        mount = outer.parent + wrap
      } else {
        path = `/${this.#name(entry)}${path}`
        dentry = entry.parent
        depth++
      }
    }
    const problem = `more than ${DEPTH_LIMIT} parents: a cycle`
    throw new CorruptError('dentry.d_parent', place.dentry, problem)
  }

  /** Before 3.3 a root gave its name, `/` or `anon_inode:`, in place of the slash in front (__d_path of fs/dcache.c). */
  #below(root: { name: bigint; nameLength: number; address: bigint }, path: string): string {
    return this.#name(root) + path.slice(1)
  }

  /** IS_ROOT on the root of its own mount: the kernel then prints the mount, not the made-up name. */
  #isRoot({ mount, dentry }: Place): boolean {
    const { space } = this.#host
    const { parent } = this.#dentry.at(space, dentry)
    return parent === dentry && this.#vfsmount.at(space, mount).root === dentry
  }

  #name(entry: { name: bigint; nameLength: number; address: bigint }): string {
    if (entry.nameLength > NAME_LIMIT) {
      const problem = `is ${entry.nameLength}, but no name has more than ${NAME_LIMIT} bytes`
      throw new CorruptError('dentry.d_name.len', entry.address, problem)
    }
    const bytes = this.#host.space.bytes(entry.name, entry.nameLength)
    return new TextDecoder().decode(bytes)
  }
}
