// SPDX-License-Identifier: GPL-2.0-or-later
// Open files of a process, with their paths as the kernel prints them.

import { CorruptError, FaultError, ifThere } from '../errors.ts'
import { layout, pointer, uint } from '../types/layout.ts'
import { type Host } from './host.ts'
import { Paths } from './path.ts'

/** No process can open more: the ceiling of sysctl fs.nr_open (fs/file.c). */
const DESCRIPTOR_LIMIT = 0x0fffffc0

/** One open file of a process. */
export interface OpenFile {
  /** The file descriptor. */
  readonly fd: number
  /** The address of the `struct file`. */
  readonly address: bigint
  /** The address of its `file_operations`: what kind of file it is. */
  readonly operations: bigint
  /** `private_data`: what the driver keeps for it; for a KVM virtual machine its `struct kvm`. */
  readonly privateData: bigint
  /** The path as the kernel would print it: `/dev/kvm`, `anon_inode:kvm-vm`, `pipe:[1234]`. */
  readonly path: string
}

/** The open files of one host's processes. */
export class Files {
  readonly paths: Paths
  readonly #host: Host
  readonly #files
  readonly #table
  readonly #file

  constructor(host: Host) {
    this.#host = host
    this.paths = new Paths(host)
    this.#files = layout(host.types, 'files_struct', { table: pointer('fdt') })
    this.#table = layout(host.types, 'fdtable', { count: uint('max_fds'), files: pointer('fd') })
    this.#file = layout(host.types, 'file', {
      operations: pointer('f_op'),
      privateData: pointer('private_data'),
    })
  }

  /**
   * The open files of a `files_struct`, by descriptor. Throws CorruptError when its table cannot be, and FaultError behind
   * the others when the page of one is not in the dump.
   */
  *of(files: bigint): Generator<OpenFile> {
    const { space } = this.#host
    const table = this.#table.at(space, this.#files.at(space, files).table)
    // alloc_fdtable of fs/file.c rounds up to whole words of the bitmaps beside it.
    if (table.count > DESCRIPTOR_LIMIT || table.count % 64 !== 0) {
      const problem = `is ${table.count}; wanted a multiple of 64 up to ${DESCRIPTOR_LIMIT}`
      throw new CorruptError('fdtable.max_fds', table.address, problem)
    }
    let gap: FaultError | undefined
    for (let fd = 0; fd < table.count; fd++) {
      const address = space.u64(table.files + BigInt(fd * 8))
      if (address === 0n) continue
      const file = ifThere(() => this.#open(fd, address))
      if (file instanceof FaultError) gap ??= file
      else yield file
    }
    if (gap !== undefined) throw gap
  }

  /** The path of a `struct file`. */
  path(file: bigint): string {
    return this.paths.ofFile(file)
  }

  #open(fd: number, address: bigint): OpenFile {
    const { operations, privateData } = this.#file.at(this.#host.space, address)
    const { paths } = this
    return {
      fd,
      address,
      operations,
      privateData,
      // Walked when asked: most questions need the kind of a file, not its name.
      get path() {
        return paths.ofFile(address)
      },
    }
  }
}
