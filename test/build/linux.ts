// SPDX-License-Identifier: GPL-2.0-or-later
// Writes the dump of a small but complete KVM host from a description.

import { writeFileSync } from 'node:fs'
import { buildElf } from './elf.ts'
import { BuiltFiles } from './filesystem.ts'
import { buildKdump } from './kdump.ts'
import { BuiltKernel, type KernelDescription, type Members } from './kernel.ts'
import { type CachedPage, makeSwapCache } from './trees.ts'
import {
  buildMm,
  buildVm,
  type BuiltMm,
  type BuiltVm,
  type EntryDescription,
  type VmaDescription,
  type VmDescription,
} from './vmm.ts'

/** A process. */
export interface TaskDescription {
  readonly pid: number
  readonly comm: string
  readonly threads?: readonly { readonly pid: number; readonly comm: string }[]
  /** Paths of open files, from descriptor 0 on; behind them come the files of its virtual machines. */
  readonly files?: readonly string[]
  readonly vms?: readonly VmDescription[]
  /** Pids whose first virtual machine it was passed the descriptor of. */
  readonly passed?: readonly number[]
  readonly vmas?: readonly VmaDescription[]
  readonly entries?: readonly EntryDescription[]
  /** Its command line; lies at its first VMA, in a frame of its own. */
  readonly args?: readonly string[]
}

/** What the kernel knows of a frame: members of its struct page. */
export interface FrameDescription {
  readonly hpa: number
  /** More than 0: the head of a folio, whose tails are written too (not more than 512). */
  readonly order?: number
  readonly members?: Members
}

export interface SwapDescription {
  readonly path: string
  readonly pages: number
  /** Pages that the swap cache still has: offset on the device and host physical address. */
  readonly cached?: readonly (readonly [offset: number, hpa: number])[]
}

export interface HostDescription extends KernelDescription {
  readonly tasks: readonly TaskDescription[]
  readonly frames?: readonly FrameDescription[]
  readonly swaps?: readonly SwapDescription[]
}

/** Where a process was written. */
export interface BuiltTask extends BuiltMm {
  readonly task: bigint
  readonly files: bigint
  readonly fdtable: bigint
  readonly vms: readonly BuiltVm[]
}

/** RAM ends here: 2 GiB. */
export const ramEnd = 0x80000000
/** Where a 64-bit kernel keeps the frames of command lines here. */
const argsAt = 0x1f000000
/** The flags of a page that belongs to a process: uptodate, lru, swapbacked. */
const USER_PAGE = 0x4a
const HEAD = 0x10
/** Of old kernels alone. */
const TAIL = 0x200
const SWAP_CACHE = 0x80

/** A host that was written, and where its parts are, for tests that break them. */
export class BuiltHost {
  readonly kernel: BuiltKernel
  readonly files: BuiltFiles
  /** The swap_info_struct of each device. */
  readonly swaps: readonly bigint[]
  readonly #tasks = new Map<number, BuiltTask>()
  readonly #cached: CachedPage[] = []
  readonly #gone = new Map<number, 'excluded' | 'hole' | 'lost'>()

  constructor(description: HostDescription) {
    this.kernel = new BuiltKernel(description)
    this.files = new BuiltFiles(this.kernel)
    const nodes = [this.#idle()]
    for (const task of description.tasks) nodes.push(this.#task(task))
    this.kernel.ring(nodes)
    const kvms = [...this.#tasks.values()].flatMap(({ vms }) => vms.map(({ kvm }) => kvm))
    const vms = kvms.map((kvm) => this.kernel.member('kvm', kvm, 'vm_list'))
    this.kernel.ring([this.kernel.symbol('vm_list'), ...vms])
    if (description.beforeL1tf === true) this.#swappedMms()
    for (const frame of description.frames ?? []) this.frame(frame)
    this.swaps = (description.swaps ?? []).map((swap, type) => this.#swap(swap, type))
    if (this.kernel.forms.trees !== 'xarray') makeSwapCache(this.kernel, this.#cached)
  }

  /** Where the process of a pid was written. */
  task(pid: number): BuiltTask {
    const task = this.#tasks.get(pid)
    if (task === undefined) throw new Error(`no task ${pid}`)
    return task
  }

  /** init_mm.mmlist: every mm that something was swapped out of, by which old kernels' entries are told. */
  #swappedMms(): void {
    const mms = [this.kernel.symbol('init_mm'), ...[...this.#tasks.values()].map(({ mm }) => mm)]
    this.kernel.ring(mms.map((mm) => this.kernel.member('mm_struct', mm, 'mmlist')))
  }

  /** Takes the page at a host physical address out of the dump. */
  without(hpa: number, why: 'excluded' | 'hole' | 'lost' = 'excluded'): this {
    this.#gone.set(Math.floor(hpa / 4096), why)
    return this
  }

  /** Writes a kdump-compressed file, or an ELF file, of what was built. */
  save(path: string, format: 'kdump' | 'elf' = 'kdump'): string {
    writeFileSync(path, format === 'kdump' ? this.#kdump() : this.#elf())
    return path
  }

  #kdump(): Uint8Array {
    const holes = [...this.#gone].filter(([, why]) => why === 'hole').map(([pfn]) => pfn)
    const memory: [number, number][] = []
    let from = 0
    for (const hole of [...holes.sort((a, b) => a - b), ramEnd / 4096]) {
      memory.push([from, hole])
      from = hole + 1
    }
    const pfns = this.kernel.memory.pfns().filter((pfn) => {
      const why = this.#gone.get(pfn)
      return why === undefined || why === 'lost'
    })
    const pages = new Map(pfns.map((pfn) => [pfn, this.#page(pfn)]))
    const { vmcoreinfo } = this.kernel
    const { bytes, descAt } = buildKdump({ pages, memory, vmcoreinfo, codec: 'zlib' })
    const view = new DataView(bytes.buffer)
    pfns.forEach((pfn, i) => {
      // A lost page is one whose data would lie behind the end of the file.
      if (this.#gone.has(pfn)) view.setBigUint64(descAt + 24 * i, BigInt(bytes.length), true)
    })
    return bytes
  }

  #elf(): Uint8Array {
    const segments = this.kernel.memory
      .pfns()
      .filter((pfn) => !this.#gone.has(pfn))
      .map((pfn) => ({ paddr: pfn * 4096, data: this.#page(pfn) }))
    const desc = new TextEncoder().encode(this.kernel.vmcoreinfo)
    return buildElf({ segments, notes: [[{ name: 'VMCOREINFO', type: 0, desc }]] })
  }

  #page(pfn: number): Uint8Array {
    const page = this.kernel.memory.page(pfn)
    if (page instanceof Uint8Array) return page
    throw new Error(`no page ${pfn}`)
  }

  #idle(): bigint {
    const task = this.kernel.symbol('init_task')
    this.#thread(task, task, { pid: 0, tgid: 0, comm: 'swapper/0' })
    return this.kernel.member('task_struct', task, 'tasks')
  }

  /** Writes a process; gives its link in the list of processes. */
  #task(description: TaskDescription): bigint {
    const { kernel, files } = this
    const { pid, comm, passed = [], threads = [] } = description
    const task = kernel.make('task_struct')
    const memory = buildMm(kernel, files, description.vmas ?? [], description.entries ?? [])
    const vms = (description.vms ?? []).map((vm) => buildVm(kernel, files, memory.mm, vm))
    const table = [
      ...(description.files ?? []).map((path) => files.open(path)),
      ...vms.map(({ file }) => file),
      ...passed.map((from) => this.task(from).vms[0]?.file ?? 0n),
    ]
    const max_fds = 64 * Math.ceil(Math.max(1, table.length) / 64)
    const fd = kernel.words([...table, ...Array<bigint>(max_fds - table.length).fill(0n)])
    // As alloc_fdtable of fs/file.c has them: bitmaps in one piece.
    const open_fds = kernel.room((2 * max_fds) / 8)
    const close_on_exec = open_fds + BigInt(max_fds / 8)
    const fdtable = kernel.make('fdtable', { fd, max_fds, open_fds, close_on_exec })
    const filesStruct = kernel.make('files_struct', { fdt: fdtable })
    const shared = { mm: memory.mm, files: filesStruct, signal: kernel.make('signal_struct') }
    this.#thread(task, task, { pid, tgid: pid, comm, ...shared })
    const isToday = kernel.forms.era === 'today'
    const link = isToday ? 'thread_node' : 'thread_group'
    // A ring without a head until 3.13.
    const nodes = isToday ? [kernel.member('signal_struct', shared.signal, 'thread_head')] : []
    nodes.push(kernel.member('task_struct', task, link))
    for (const thread of threads) {
      const at = kernel.make('task_struct')
      this.#thread(at, task, { tgid: pid, ...thread, ...shared })
      nodes.push(kernel.member('task_struct', at, link))
    }
    kernel.ring(nodes)
    const built = { task, files: filesStruct, fdtable, vms, ...memory }
    this.#tasks.set(pid, built)
    if (description.args !== undefined) this.#args(built, description.args)
    return kernel.member('task_struct', task, 'tasks')
  }

  #thread(task: bigint, leader: bigint, members: Members): void {
    const real_parent = this.kernel.symbol('init_task')
    this.kernel.set('task_struct', task, { real_parent, group_leader: leader, ...members })
  }

  #args({ mm, tables, vmas }: BuiltTask, args: readonly string[]): void {
    const { kernel } = this
    const start = kernel.get('vm_area_struct', vmas[0] ?? 0n, 'vm_start')
    const bytes = Buffer.from(args.map((word) => `${word}\0`).join(''))
    const hpa = argsAt + 4096 * this.#tasks.size
    kernel.memory.zero(hpa).bytes(hpa, bytes)
    tables.set(start, 1, BigInt(hpa) | 0x67n)
    kernel.set('mm_struct', mm, { arg_start: start, arg_end: start + BigInt(bytes.length) })
  }

  /** Writes the struct page of a frame, anonymous memory that is mapped once when nothing else is said. */
  frame({ hpa, order = 0, members = {} }: FrameDescription): bigint {
    const { kernel } = this
    const pfn = hpa / 4096
    const head = kernel.structPage(pfn)
    const flags = USER_PAGE | (order > 0 ? HEAD : 0)
    const isToday = kernel.forms.era === 'today'
    const count = { [isToday ? '_refcount' : '_count']: 1 }
    const own = { flags, mapping: kernel.direct(0x2000001), ...count, index: pfn }
    kernel.set('page', head, { ...own, _mapcount: order > 0 ? -1 : 0, ...members })
    const link = isToday ? { compound_head: head + 1n } : { flags: TAIL, first_page: head }
    for (let i = 1; i < Math.min(512, 2 ** order); i++) {
      kernel.set('page', kernel.structPage(pfn + i), { ...link, _mapcount: -1 })
    }
    if (order > 0 && !isToday) {
      kernel.set('page', kernel.structPage(pfn + 1), { 'lru.prev': order })
    } else if (order > 0) kernel.set('folio', head, { _flags_1: order, _entire_mapcount: 0 })
    return head
  }

  #swap({ path, pages, cached = [] }: SwapDescription, type: number): bigint {
    const { kernel } = this
    const swap_file = this.files.open(path)
    const sizes = { pages, max: pages + 1, 'inuse_pages.counter': cached.length }
    const info = kernel.make('swap_info_struct', { type, flags: 3, prio: -2, swap_file, ...sizes })
    const at = (name: string) => kernel.hpa(kernel.symbol(name)) + type * 8
    kernel.memory.u64(at('swap_info'), info)
    kernel.memory.u64(kernel.hpa(kernel.symbol('nr_swapfiles')), BigInt(type + 1))
    if (kernel.forms.trees !== 'xarray') {
      for (const [offset, hpa] of cached) {
        const head = this.frame({ hpa, members: { flags: USER_PAGE | SWAP_CACHE } })
        this.#cached.push([type, offset, head])
      }
      return info
    }
    // One address_space with one node: offsets below 64.
    const node = kernel.make('xa_node', { shift: 0 })
    for (const [offset, hpa] of cached) {
      const head = this.frame({ hpa, members: { flags: USER_PAGE | SWAP_CACHE } })
      kernel.set('xa_node', node, { [`slots[${offset}]`]: head })
    }
    const runs = kernel.make('address_space', { 'i_pages.xa_head': node + 2n })
    kernel.memory.u64(at('swapper_spaces'), runs)
    return info
  }
}

/** Writes a host. */
export function host(description: HostDescription): BuiltHost {
  return new BuiltHost(description)
}
