// SPDX-License-Identifier: GPL-2.0-or-later
// Virtual machines: found on KVM's own list, and through the files of a VMM's task.

import { hex } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { CorruptError, FaultError, MissingError, TaskError, ifThere } from '../errors.ts'
import { type Linux } from '../linux/linux.ts'
import { type BrokenList, listFromBothEnds } from '../linux/list.ts'
import { ifSound, isDamage, isGap } from '../linux/partial.ts'
import { type Task, type Tasks } from '../linux/task.ts'
import { type UserSpace } from '../space/uva.ts'
import { address, layout, optional, pointer, uint } from '../types/layout.ts'
import { structView, type StructOf } from '../types/view.ts'
import { type Coverage, coverageOf, type CoverageOptions } from './coverage.ts'
import { DirtyLog } from './dirty.ts'
import { type GfnSet } from './gfnset.ts'
import { GuestMemfd, type PrivatePage, type PrivateVisitor } from './guestmemfd.ts'
import { readGuest } from './guestread.ts'
import { type Memslot, type MemslotList } from './memslots/memslot.ts'
import { Memslots } from './memslots/memslots.ts'
import { ownerByNotifier } from './owner.ts'
import { guestName, guestUuid } from './qemuoptions.ts'
import { type VcpuList, Vcpus } from './vcpu.ts'

/** The dentry name of a virtual machine's file (virt/kvm/kvm_main.c), where kvm's symbols cannot be read. */
const VM_FILE = 'anon_inode:kvm-vm'

const FROM_END = 'found from the end of vm_list, which cannot be followed from its start'
const FROM_FILES = 'found in the files of its process: vm_list cannot be followed to its end'
const FROM_LIST = 'found on vm_list by its memory: files of its process are not in the dump'
const FROM_LIST_DAMAGED = 'found on vm_list by its memory: files of its process are damaged'
const FROM_NOTIFIER =
  'kvm.mm is not in the dump: the process is the one whose memory has the notifier of this virtual machine'

/** Virtual machines, and what is missing among them. */
export interface VmList extends ReadonlyArray<Vm> {
  /** One sentence for each that is known to be lost, or for the place where others can be; empty for a whole dump. */
  readonly lost: readonly string[]
}

// What is missing is not enumerable: the list is an array like any other.
function vmList(vms: readonly Vm[], lost: readonly string[]): VmList {
  const list = Object.defineProperty([...vms], 'lost', { value: Object.freeze(lost) })
  return Object.freeze(list) as unknown as VmList
}

/** The virtual machines of one host. */
export class Vms {
  readonly tasks: Tasks<Vm>
  readonly linux: Linux
  readonly #kvm
  #memslots: Memslots | undefined
  #vcpus: Vcpus<Vm> | undefined
  #dirtyLog: DirtyLog | undefined
  #guestMemfd: GuestMemfd | undefined
  readonly #byAddress = new Map<bigint, Vm>()
  #operations: bigint | null | undefined

  constructor(tasks: Tasks<Vm>) {
    this.tasks = tasks
    this.linux = tasks.linux
    this.#kvm = layout(tasks.host.types, 'kvm', {
      list: address('vm_list'),
      mm: pointer('mm'),
      // Since 4.x; for a VM whose task is gone it is the only trace of it.
      creator: optional(uint('userspace_pid')),
      users: optional(uint('users_count')),
    })
  }

  /**
   * All virtual machines on KVM's list. Empty when kvm is not loaded. When the list cannot be followed, that is done
   * from its end too, and then the files of all tasks are looked at; who may be left out is told in `lost`. Throws
   * FaultError or CorruptError when the list is damaged and none is found.
   */
  all(): VmList {
    const { host } = this.linux
    const head = host.findSymbol('vm_list', 'kvm')
    if (head === undefined) {
      if (host.modules.find('kvm') === undefined) return vmList([], [])
      throw new MissingError('symbol', 'vm_list', 'module kvm')
    }
    const list = listFromBothEnds(host.space, head, 'vm_list')
    const { vms, lost } = this.#read(list)
    const { fault } = list
    if (fault === undefined || list.isWhole) return vmList(vms, lost)
    const all = new Set([...vms, ...this.#ofAllTasks()])
    if (all.size === 0 && !isGap(fault)) throw fault
    const where = isGap(fault) ? 'has a gap' : 'is damaged'
    return vmList(
      [...all],
      [...lost, `vm_list ${where}, in which there may be more virtual machines: ${fault.message}`],
    )
  }

  #read(list: BrokenList, how?: string): { vms: Vm[]; lost: string[] } {
    const vms: Vm[] = []
    const lost: string[] = []
    for (const [i, node] of list.nodes.entries()) {
      const kvm = node - BigInt(this.#kvm.offset('list'))
      const vm = ifSound(() =>
        this.at(kvm, undefined, how ?? (i < list.reached ? undefined : FROM_END)),
      )
      if (vm instanceof Vm) vms.push(vm)
      else lost.push(`the virtual machine at ${hex(kvm)}: ${vm.message}`)
    }
    return { vms, lost }
  }

  /** The virtual machines on KVM's list, as far as it can be read, for a task whose files cannot. */
  #onList(how: string): readonly Vm[] {
    const vms = ifSound(() => {
      const head = this.linux.host.findSymbol('vm_list', 'kvm')
      if (head === undefined) return []
      return this.#read(listFromBothEnds(this.linux.host.space, head, 'vm_list'), how).vms
    })
    return isDamage(vms) ? [] : vms
  }

  /** What the tasks hold open, as far as it can be read. */
  *#ofAllTasks(): Generator<Vm> {
    const tasks = ifSound(() => this.tasks.known().tasks)
    for (const process of isDamage(tasks) ? [] : tasks) {
      const vms = ifSound(() => this.#held(process, FROM_FILES))
      if (!isDamage(vms)) yield* vms
    }
  }

  /** How this kernel keeps memslots. */
  get memslots(): Memslots {
    return (this.#memslots ??= new Memslots(this.linux.host))
  }

  /**
   * The virtual machines that a task holds open, in the order of their descriptors. Threads share their process's
   * files. Throws TaskError, in the words of the crash extension, when one is torn down.
   */
  ofTask(task: Task<Vm>): Vm[] {
    const held = ifSound(() => this.#held(task))
    if (!isDamage(held)) return held
    // The other way in: KVM's list, whose virtual machines know whose memory they have.
    const how = isGap(held) ? FROM_LIST : FROM_LIST_DAMAGED
    const listed = this.#onList(how).filter((vm) => vm.mmAddress === task.mmAddress)
    if (listed.length === 0) throw held
    return listed
  }

  #held(task: Task<Vm>, how?: string): Vm[] {
    const found: Vm[] = []
    const who = `(pid:${task.pid} task:${task.address.toString(16)})`
    for (const file of task.eachFile()) {
      if (!this.#isVmFile(file)) continue
      if (file.privateData === 0n) {
        throw new TaskError('no-vm', `failed to get information of qemu process${who}`)
      }
      const vm = this.at(file.privateData, task, how)
      if (!found.includes(vm)) found.push(vm)
    }
    return found
  }

  /** The virtual machine whose `struct kvm` is at an address. `how` says how it was found, when not in the usual way. */
  at(kvm: bigint, task?: Task<Vm>, how?: string): Vm {
    const known = this.#byAddress.get(kvm)
    if (known !== undefined) return known
    const salvaged = how === undefined ? [] : [how]
    let owner = task
    let mm = ifThere(() => this.#kvm.at(this.linux.host.space, kvm).mm)
    if (mm instanceof FaultError) {
      owner = ownerByNotifier(this.tasks, kvm)
      if (owner === undefined) throw mm
      mm = owner.mmAddress
      salvaged.push(FROM_NOTIFIER)
    }
    const vm = new Vm(this, kvm, mm, salvaged, owner)
    this.#byAddress.set(kvm, vm)
    return vm
  }

  /** @internal The vCPUs of a `struct kvm`. */
  vcpusOf(kvm: bigint): VcpuList<Vm> {
    this.#vcpus ??= new Vcpus(this.tasks)
    return this.#vcpus.of(kvm)
  }

  /** @internal */
  get dirtyLog(): DirtyLog {
    return (this.#dirtyLog ??= new DirtyLog(this.linux.host))
  }

  /** @internal */
  get guestMemfd(): GuestMemfd {
    return (this.#guestMemfd ??= new GuestMemfd(this.linux))
  }

  /** @internal Members of a `struct kvm`. */
  stateOf(kvm: bigint): {
    readonly users: number | undefined
    readonly creator: number | undefined
  } {
    return this.#kvm.at(this.linux.host.space, kvm)
  }

  /** kvm_vm_fops tells a VM's file for certain; its name on anon_inodefs does where the symbol is not known. */
  #isVmFile(file: { operations: bigint; path: string }): boolean {
    if (this.#operations === undefined) {
      const found = ifThere(() => this.linux.host.findSymbol('kvm_vm_fops', 'kvm'))
      this.#operations = found instanceof FaultError ? null : (found ?? null)
    }
    return this.#operations === null ? file.path === VM_FILE : file.operations === this.#operations
  }
}

/** A virtual machine of the dumped host (`struct kvm`) and the process that owns it. */
export class Vm {
  /** The address of the `struct kvm`. */
  readonly address: bigint
  /** The address of the owner's `mm_struct`; 0n while the VM is torn down. */
  readonly mmAddress: bigint
  /** How it was found, one sentence each, when pages of the dump are missing and the usual way led nowhere; else empty. */
  readonly salvaged: readonly string[]
  /** The kernel that runs it. */
  readonly linux: Linux
  readonly #vms: Vms
  #task: Task<Vm> | null | undefined
  #commandLine: readonly string[] | null | undefined
  #memslots: MemslotList | undefined
  #vcpus: VcpuList<Vm> | undefined
  #space: UserSpace | undefined

  /** @internal */
  constructor(vms: Vms, kvm: bigint, mm: bigint, salvaged: readonly string[], task?: Task<Vm>) {
    this.#vms = vms
    this.linux = vms.linux
    this.address = kvm
    this.mmAddress = mm
    this.salvaged = Object.freeze(salvaged)
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
    return guestName(this.#words)
  }

  /** The guest's UUID from QEMU's command line (`-uuid`), or null when the dump does not hold that. */
  get uuid(): string | null {
    return guestUuid(this.#words)
  }

  /** Its vCPUs, in the order of their creation; `lost` tells which of them this dump lacks. */
  get vcpus(): VcpuList<Vm> {
    return (this.#vcpus ??= this.#vms.vcpusOf(this.address))
  }

  /**
   * How many hold it: its own descriptor, one of each vCPU, and devices. 0 while it is torn down. Null for kernels that
   * do not count.
   */
  get usersCount(): number | null {
    return this.#vms.stateOf(this.address).users ?? null
  }

  /** The pid of the process that made it, which may be gone; null for kernels before 4.x. */
  get creatorPid(): number | null {
    return this.#vms.stateOf(this.address).creator ?? null
  }

  /** All memslots, of every address space, in the order of address space and gfn. */
  get memslots(): MemslotList {
    if (this.#memslots === undefined) {
      if (this.#vms.memslots.areMissing(this.address)) {
        throw new TaskError(
          'no-memslots',
          'failed to get information of KVM, please check whether KVM module is loaded',
        )
      }
      this.#memslots = this.#vms.memslots.of(this.address)
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

  /**
   * The frames of a memslot that the guest wrote to since its VMM last asked, out of the slot's dirty bitmap and the
   * dirty rings of the vCPUs. Null when KVM does not log this slot. Throws FaultError when the bitmap is not in the dump,
   * MissingError when types that were inferred do not tell where it is.
   */
  dirtyGfns(slot: Memslot): GfnSet | null {
    return this.#vms.dirtyLog.of(slot, () => this.vcpus)
  }

  /**
   * The page of guest_memfd behind a guest physical address that is private to a confidential guest; null for all that
   * the VMM has in its own memory too. Throws FaultError when what leads to it is not in the dump.
   */
  privatePage(gpa: number): PrivatePage | null {
    const slot = this.slotOf(gpa)
    if (slot?.flags.includes('GUEST_MEMFD') !== true) return null
    const memory = this.#vms.guestMemfd
    return memory.isPrivate(this.address, slot, gpa) ? memory.page(slot, gpa) : null
  }

  /** @internal The same for all pages of a memslot that can have private ones. */
  scanPrivate(slot: Memslot, gpa: number, pages: number, visit: PrivateVisitor): void {
    this.#vms.guestMemfd.scan(this.address, slot, gpa, pages, visit)
  }

  /** The user memory of the VMM, in which the guest's memory lies. Throws TaskError while the VM is torn down. */
  get userSpace(): UserSpace {
    this.checkAlive()
    this.#space ??= this.#vms.tasks.userSpace(this.mmAddress)
    return this.#space
  }

  /**
   * A copy of `length` bytes of the guest's memory at a guest physical address, as the guest would read them: mapped
   * pages, also those that are PROT_NONE for now, swapped ones where memory still holds them (the swap cache, zram), and
   * zeros for private memory that was never touched. Several pages may be anywhere. Throws FaultError at the first page
   * that the dump does not hold, which says why, and how many bytes before it are good (`good`).
   */
  read(gpa: bigint | number | string, length: number): Uint8Array {
    return readGuest(this, gpa, length)
  }

  /**
   * What backs the guest's memory, for each memslot and for all: bytes by state, page size, kind (anonymous, THP,
   * hugetlb, file, KSM), NUMA node, in the dump or not, and how contiguous it is on the host. `{from, to}` counts a range
   * of guest physical addresses, `{pages: false}` reads the page tables alone. Reads each page table of the guest once:
   * one table for each 2 MiB that is mapped by small pages. What the dump lacks is in the counts, and in `remarks`.
   */
  coverage(options: CoverageOptions = {}): Coverage {
    return coverageOf(this, options)
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
  get #words(): readonly string[] | null {
    try {
      return (this.#commandLine ??= this.task?.commandLine ?? null)
    } catch (error) {
      if (error instanceof CorruptError) return null
      throw error
    }
  }
}
