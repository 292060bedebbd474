// SPDX-License-Identifier: GPL-2.0-or-later
// Open files of a process, with their paths as the kernel prints them.

import { CorruptError, FaultError, ifThere } from '../errors.ts'
import { address, arrayLength, layout, optional, pointer, uint } from '../types/layout.ts'
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

/** What is read of a `struct fdtable`. */
interface Table {
  readonly count: number
  readonly files: bigint
  readonly open: bigint | undefined
  readonly closeOnExec: bigint | undefined
}

/** The open files of one host's processes. */
export class Files {
  readonly paths: Paths
  readonly #host: Host
  readonly #files
  readonly #ownLength: number | undefined
  readonly #table
  readonly #file

  constructor(host: Host) {
    this.#host = host
    this.paths = new Paths(host)
    this.#files = layout(host.types, 'files_struct', {
      table: pointer('fdt'),
      own: optional(address('fd_array')),
    })
    this.#ownLength = arrayLength(host.types, 'files_struct', 'fd_array')
    this.#table = layout(host.types, 'fdtable', {
      count: uint('max_fds'),
      files: pointer('fd'),
      open: optional(pointer('open_fds')),
      closeOnExec: optional(pointer('close_on_exec')),
    })
    this.#file = layout(host.types, 'file', {
      operations: pointer('f_op'),
      privateData: pointer('private_data'),
    })
  }

  /**
   * The open files of a `files_struct`, by descriptor. Throws CorruptError when its table cannot be, and behind the others
   * FaultError when the page of one is not in the dump, and CorruptError when the table has room for another number.
   */
  *of(files: bigint): Generator<OpenFile> {
    const { space } = this.#host
    const record = this.#files.at(space, files)
    const table = this.#table.at(space, record.table)
    // alloc_fdtable of fs/file.c rounds up to whole words of the bitmaps beside it.
    if (table.count > DESCRIPTOR_LIMIT || table.count % 64 !== 0) {
      const problem = `is ${table.count}; wanted a multiple of 64 up to ${DESCRIPTOR_LIMIT}`
      throw new CorruptError('fdtable.max_fds', table.address, problem)
    }
    const room = this.#room(record.own, table)
    let damage: FaultError | CorruptError | undefined
    // What lies behind the array may look like files.
    for (let fd = 0; fd < Math.min(table.count, room); fd++) {
      const pointerTo = space.u64(table.files + BigInt(fd * 8))
      if (pointerTo === 0n) continue
      const file = ifThere(() => this.#open(fd, pointerTo))
      if (file instanceof FaultError) damage ??= file
      else yield file
    }
    if (table.count !== room) {
      const problem = `is ${table.count}, but the table has room for ${room}`
      damage ??= new CorruptError('fdtable.max_fds', table.address, problem)
    }
    if (damage !== undefined) throw damage
  }

  /**
   * How many descriptors a table was made for. The one in the `files_struct` has a fixed number; of all others the two
   * first bitmaps lie one behind the other in one piece, a bit for each descriptor (alloc_fdtable of fs/file.c).
   */
  #room(own: bigint | undefined, table: Table): number {
    if (own !== undefined && table.files === own) return this.#ownLength ?? table.count
    if (table.open === undefined || table.closeOnExec === undefined) return table.count
    const bits = 8n * (table.closeOnExec - table.open)
    // Pointers that cannot be say nothing of the count.
    const isRoom = bits > 0n && bits % 64n === 0n && bits <= BigInt(DESCRIPTOR_LIMIT)
    return isRoom ? Number(bits) : table.count
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
