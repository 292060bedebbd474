// SPDX-License-Identifier: GPL-2.0-or-later
// Files of a built kernel: dentries, inodes, a root file system with a mount below it, and anonymous inodes.

import { type BuiltKernel } from './kernel.ts'

const S_IFREG = 0x8000
const S_IFBLK = 0x6000

/** A directory entry that was written, and the mount on which it lies. */
export interface BuiltEntry {
  readonly dentry: bigint
  /** The address of the vfsmount. */
  readonly mount: bigint
}

/** Makes files of one kernel. */
export class BuiltFiles {
  readonly #kernel: BuiltKernel
  readonly #root: BuiltEntry
  readonly #anonymous: BuiltEntry
  readonly #entries = new Map<string, BuiltEntry>()

  constructor(kernel: BuiltKernel) {
    this.#kernel = kernel
    this.#root = this.#fileSystem('ext4')
    this.#anonymous = this.#fileSystem('anon_inodefs')
    // A second file system, so that a path leads over a mount.
    const dev = this.#fileSystem('devtmpfs')
    const mountpoint = this.#entry(this.#root, 'dev', S_IFREG)
    kernel.set(this.#mountType, this.#mountOf(dev.mount), {
      mnt_parent: this.#mountOf(this.#root.mount),
      mnt_mountpoint: mountpoint.dentry,
    })
    this.#entries.set('', this.#root).set('/dev', dev)
  }

  /** The directory entry of a path; `/dev/…` lies on a file system of its own and is a block device. */
  entry(path: string): BuiltEntry {
    const known = this.#entries.get(path)
    if (known !== undefined) return known
    const at = path.lastIndexOf('/')
    const mode = path.startsWith('/dev/') ? S_IFBLK : S_IFREG
    const entry = this.#entry(this.entry(path.slice(0, at)), path.slice(at + 1), mode)
    this.#entries.set(path, entry)
    return entry
  }

  /** An open `struct file` of a path. */
  open(path: string): bigint {
    return this.#file(this.entry(path), this.#kernel.symbol('ext4_file_operations'), 0n)
  }

  /** An open file without a path, such as `anon_inode:kvm-vm`. */
  anonymous(name: string, operations: bigint, privateData: bigint): bigint {
    const entry = this.#entry(this.#anonymous, name, 0)
    if (this.#kernel.forms.era === '2.6.32') {
      // In no chain, but without the flag that would say so.
      this.#kernel.set('dentry', entry.dentry, { 'd_hash.pprev': 0n })
      return this.#file(entry, operations, privateData)
    }
    const d_op = this.#kernel.make('dentry_operations', { d_dname: 1n })
    this.#kernel.set('dentry', entry.dentry, { d_parent: entry.dentry, d_op })
    return this.#file(entry, operations, privateData)
  }

  #file({ dentry, mount }: BuiltEntry, f_op: bigint, private_data: bigint): bigint {
    // A member of its own since 3.9.
    const f_inode = this.#kernel.get('dentry', dentry, 'd_inode')
    const own = this.#kernel.forms.era === '2.6.32' ? {} : { f_inode }
    const f_mapping = this.#kernel.member('inode', f_inode, 'i_data')
    const path = { 'f_path.mnt': mount, 'f_path.dentry': dentry }
    return this.#kernel.make('file', { f_op, private_data, f_mapping, ...own, ...path }, 512)
  }

  get #mountType(): 'mount' | 'vfsmount' {
    return this.#kernel.forms.era === '2.6.32' ? 'vfsmount' : 'mount'
  }

  #fileSystem(name: string): BuiltEntry {
    const kernel = this.#kernel
    // The root of anonymous inodes was named by what stands before a file's name, until d_dname did that.
    const isNamed = kernel.forms.era === '2.6.32' && name === 'anon_inodefs'
    const s_type = kernel.make('file_system_type', { name: kernel.text(name) })
    const d_sb = kernel.make('super_block', { s_type })
    const dentry = kernel.make(
      'dentry',
      { d_sb, ...this.#named(isNamed ? 'anon_inode:' : '/') },
      256,
    )
    kernel.set('dentry', dentry, { d_parent: dentry })
    const root = this.#mountType === 'mount' ? 'mnt.mnt_root' : 'mnt_root'
    const mount = kernel.make(this.#mountType, { [root]: dentry })
    kernel.set(this.#mountType, mount, { mnt_parent: mount, mnt_mountpoint: dentry })
    return { dentry, mount: mount + this.#mountOffset() }
  }

  #entry(parent: BuiltEntry, name: string, i_mode: number): BuiltEntry {
    const kernel = this.#kernel
    const d_sb = kernel.get('dentry', parent.dentry, 'd_sb')
    const inode = kernel.make('inode', { i_mode, i_ino: 4000 + this.#entries.size, i_sb: d_sb })
    const d_inode = kernel.set('inode', inode, { 'i_data.host': inode })
    const hash = { 'd_hash.pprev': parent.dentry }
    const place = { d_parent: parent.dentry, d_sb, d_inode, ...hash, ...this.#named(name) }
    return { dentry: kernel.make('dentry', place, 256), mount: parent.mount }
  }

  #named(name: string) {
    return { 'd_name.name': this.#kernel.text(name), 'd_name.len': Buffer.byteLength(name) }
  }

  #mountOffset(): bigint {
    return BigInt(this.#kernel.types.struct('mount')?.member('mnt')?.offset ?? 0)
  }

  #mountOf(vfsmount: bigint): bigint {
    return vfsmount - this.#mountOffset()
  }
}
