// SPDX-License-Identifier: GPL-2.0-or-later
// Virtual machines: found on KVM's own list, and through the files of a VMM's task.

import { hex } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { CorruptError, MissingError, TaskError } from '../errors.ts'
import { type Linux } from '../linux/linux.ts'
import { listNodes } from '../linux/list.ts'
import { type Task, type Tasks } from '../linux/task.ts'
import { type UserSpace } from '../space/uva.ts'
import { address, layout, optional, pointer, uint } from '../types/layout.ts'
import { structView, type StructOf } from '../types/view.ts'
import { Memslots, type Memslot } from './memslot.ts'

/** The dentry name of a virtual machine's file (virt/kvm/kvm_main.c), where kvm's symbols cannot be read. */
const VM_FILE = 'anon_inode:kvm-vm'

/** The virtual machines of one host. */
export class Vms {
  readonly tasks: Tasks<Vm>
  readonly linux: Linux
  readonly memslots: Memslots
  readonly #kvm
  readonly #byAddress = new Map<bigint, Vm>()
  #operations: bigint | null | undefined

  constructor(tasks: Tasks<Vm>) {
    this.tasks = tasks
    this.linux = tasks.linux
    this.memslots = new Memslots(tasks.host)
    this.#kvm = layout(tasks.host.types, 'kvm', {
      list: address('vm_list'),
      mm: pointer('mm'),
      // Since 4.x; for a VM whose task is gone it is the only trace of it.
      creator: optional(uint('userspace_pid')),
    })
  }

  /** All virtual machines on KVM's list. Empty when kvm is not loaded. */
  all(): Vm[] {
    const { host } = this.linux
    const head = host.findSymbol('vm_list', 'kvm')
    if (head === undefined) {
      if (host.modules.find('kvm') === undefined) return []
      throw new MissingError('symbol', 'vm_list', 'module kvm')
    }
    const offset = BigInt(this.#kvm.offset('list'))
    return [...listNodes(host.space, head, 'vm_list')].map((node) => this.at(node - offset))
  }

  /**
   * The virtual machines that a task holds open, in the order of their descriptors. Threads share their process's
   * files. Throws TaskError, in the words of the crash extension, when one is torn down.
   */
  ofTask(task: Task<Vm>): Vm[] {
    const found: Vm[] = []
    const who = `(pid:${task.pid} task:${task.address.toString(16)})`
    for (const file of task.files) {
      if (!this.#isVmFile(file)) continue
      if (file.privateData === 0n) {
        throw new TaskError('no-vm', `failed to get information of qemu process${who}`)
      }
      const vm = this.at(file.privateData, task)
      if (!found.includes(vm)) found.push(vm)
    }
    return found
  }

  /** The virtual machine whose `struct kvm` is at an address. */
  at(kvm: bigint, task?: Task<Vm>): Vm {
    const known = this.#byAddress.get(kvm)
    if (known !== undefined) return known
    const vm = new Vm(this, kvm, this.#kvm.at(this.linux.host.space, kvm).mm, task)
    this.#byAddress.set(kvm, vm)
    return vm
  }

  /** kvm_vm_fops tells a VM's file for certain; its name on anon_inodefs does where the symbol is not known. */
  #isVmFile(file: { operations: bigint; path: string }): boolean {
    this.#operations ??= this.linux.host.findSymbol('kvm_vm_fops', 'kvm') ?? null
    return this.#operations === null ? file.path === VM_FILE : file.operations === this.#operations
  }
}

/** A virtual machine of the dumped host (`struct kvm`) and the process that owns it. */
export class Vm {
  /** The address of the `struct kvm`. */
  readonly address: bigint
  /** The address of the owner's `mm_struct`; 0n while the VM is torn down. */
  readonly mmAddress: bigint
  /** The kernel that runs it. */
  readonly linux: Linux
  readonly #vms: Vms
  #task: Task<Vm> | null | undefined
  #commandLine: readonly string[] | null | undefined
  #memslots: readonly Memslot[] | undefined
  #space: UserSpace | undefined

  /** @internal */
  constructor(vms: Vms, kvm: bigint, mm: bigint, task?: Task<Vm>) {
    this.#vms = vms
    this.linux = vms.linux
    this.address = kvm
    this.mmAddress = mm
    // A descriptor can be passed to another process: only the task that owns the memory is the VM's.
    if (task?.mmAddress === mm) this.#task = task
  }

  /** The process whose memory backs the guest, or null when no task has it any more. */
  get task(): Task<Vm> | null {
    if (this.#task === undefined) {
      this.#task = this.mmAddress === 0n ? null : (this.#vms.tasks.ofMm(this.mmAddress) ?? null)
    }
    return this.#task
  }

  /** The guest's name from QEMU's command line (`-name guest=web01`), or null when the dump does not hold that. */
  get name(): string | null {
    const value = this.#argument('-name')
    if (value === null) return null
    const parts = value.split(',')
    const named = parts.find((part) => part.startsWith('guest='))
    return named?.slice('guest='.length) ?? parts[0] ?? null
  }

  /** The guest's UUID from QEMU's command line (`-uuid`), or null when the dump does not hold that. */
  get uuid(): string | null {
    return this.#argument('-uuid')
  }

  /** All memslots, of every address space, in the order of address space and gfn. */
  get memslots(): readonly Memslot[] {
    if (this.#memslots === undefined) {
      if (this.#vms.memslots.areMissing(this.address)) {
        throw new TaskError(
          'no-memslots',
          'failed to get information of KVM, please check whether KVM module is loaded',
        )
      }
      this.#memslots = Object.freeze(this.#vms.memslots.of(this.address))
    }
    return this.#memslots
  }

  /**
   * The memslot that holds a guest physical address, or undefined. A slot that is being deleted or moved never
   * matches: KVM itself would refuse it.
   */
  slotOf(gpa: number, addressSpace = 0): Memslot | undefined {
    const gfn = Math.floor(gpa / PAGE_SIZE)
    return this.memslots.find(
      (slot) =>
        slot.addressSpace === addressSpace &&
        !slot.invalid &&
        gfn >= slot.baseGfn &&
        gfn < slot.baseGfn + slot.npages,
    )
  }

  /** The user memory of the VMM, in which the guest's memory lies. Throws TaskError while the VM is torn down. */
  get userSpace(): UserSpace {
    this.checkAlive()
    this.#space ??= this.#vms.tasks.userSpace(this.mmAddress)
    return this.#space
  }

  /** Throws TaskError, in the words of the crash extension, when the VM is being torn down and has no memory any more. */
  checkAlive(): void {
    if (this.mmAddress !== 0n) return
    throw new TaskError(
      'no-vm',
      `failed to get information of qemu process: the virtual machine at ${hex(this.address)} is being torn down (its kvm.mm is 0)`,
    )
  }

  /** The raw `struct kvm`. */
  get struct(): StructOf<'kvm'> {
    const { host } = this.linux
    return structView(host.types, host.space, 'kvm', this.address)
  }

  /** Name, UUID, pid and address, for JSON. */
  toJSON(): { name: string | null; uuid: string | null; pid: number | null; kvm: string } {
    return {
      name: this.name,
      uuid: this.uuid,
      pid: this.task?.pid ?? null,
      kvm: hex(this.address),
    }
  }

  /** A command line that cannot be makes a VM nameless, no more: `task.commandLine` says what is wrong with it. */
  #readCommandLine(): readonly string[] | null {
    try {
      return this.task?.commandLine ?? null
    } catch (error) {
      if (error instanceof CorruptError) return null
      throw error
    }
  }

  /** The value behind an option of the VMM's command line. */
  #argument(option: string): string | null {
    this.#commandLine ??= this.#readCommandLine()
    const at =
      this.#commandLine?.findIndex((word) => word === option || word === `-${option}`) ?? -1
    return at < 0 ? null : (this.#commandLine?.[at + 1] ?? null)
  }
}
