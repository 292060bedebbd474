// SPDX-License-Identifier: GPL-2.0-or-later
// What crash and drgn read when they open a dump: read here too, so that a slice holds it for them.

import { PAGE_SIZE } from '../../dump/format.ts'
import { walk } from '../../paging/walk.ts'
import { TEXT_MAP } from '../../space/kva.ts'
import { address, arrayLength, layout, pointer } from '../../types/layout.ts'
import { type Host } from '../host.ts'
import { readModules } from './openingmodules.ts'
import { readMounts } from './openingmounts.ts'
import { readCpus, readPids, readTasks } from './openingtasks.ts'
import { type Task, type Tasks } from '../task.ts'
import { Touch } from '../touch.ts'

/**
 * Where the kernel image keeps its variables, from one symbol to another: include/asm-generic/vmlinux.lds.h and
 * arch/x86/kernel/vmlinux.lds.S. Pages of zeros among them, which are many, take no room in a slice.
 */
const variables = [
  // init_task, init_pid_ns, the first page tables, the list of modules, the kernel's log.
  ['_sdata', '_edata'],
  // The timekeeper, mem_section, node_data. What follows __start_bss_decrypted_unused was given away at boot: whatever
  // lies there now is of no use; a kernel without it ends its variables at __bss_stop.
  ['__bss_start', '__start_bss_decrypted_unused', '__bss_stop'],
  ['__end_bss_decrypted', '__bss_stop'],
  // Written at boot only: __per_cpu_offset, the possible CPUs, page_offset_base. The tables of jump labels and static
  // calls at its end are large, and nobody reads them in a dump.
  ['__start_ro_after_init', '__start___jump_table', '__end_ro_after_init'],
] as const

/** Read-only tables of texts that crash prints from, and refuses to open a dump without: pointers among other words. */
const textTables = ['taint_flags', 'pageflag_names', 'task_state_array', 'pv_info']

/** Read-only variables without such pointers: the kernel's banner, and the sizes of maple nodes. */
const constants = ['linux_banner', 'mt_slots', 'mt_pivots']

/**
 * Functions whose first instructions tell crash whether this kernel keeps frame pointers. Kernels have some of them;
 * before 4.17 system calls had no prefix.
 */
const functions = ['sys_open', 'sys_read', 'sys_fork', 'do_fork', 'do_futex', 'vfs_read'].flatMap(
  (name) => [name, `__x64_${name}`, `__do_${name}`, `_${name}`],
)
const FIRST_INSTRUCTIONS = 16
/** crash disassembles these some hundred instructions on, to see how a task that does not run was left. */
const schedulers = ['schedule', '__schedule']
const SCHEDULER_BYTES = 8192

/** What the parts ask for besides: looked up with the rest, in one pass over the kernel's names. */
const others = [
  ...['__start_rodata', '__end_rodata', '_text', '_end', 'mem_section', 'kmem_cache'],
  ...['__per_cpu_offset', '__per_cpu_start', '__per_cpu_end', '__cpu_possible_mask'],
  ...['cea_exception_stacks', 'runqueues', 'arch_task_struct_size', 'init_pid_ns'],
]

/**
 * Reads what crash and drgn need to open a dump and to show tasks and modules: the kernel's variables, the per-CPU
 * areas of all possible CPUs, NUMA nodes and memory sections, every `struct module` with what describes it, and tasks
 * with their stacks. Of tasks there can be more than a slice has room for: those of `first` come first.
 * What this kernel or this dump lacks is passed over.
 */
export function readOpening<V>(tasks: Tasks<V>, first: () => Iterable<Task<V>>): void {
  const { host } = tasks
  const touch = new Touch(host)
  const names = [variables.flat(), textTables, constants, functions, schedulers, others].flat()
  host.symbols.find([...new Set<string>(names)])
  for (const [from, ...ends] of variables) {
    const end = ends.find((name) => host.symbols.address(name) !== undefined)
    if (end !== undefined) touch.between(from, end)
  }
  for (const name of constants) touch.symbol(name)
  for (const name of functions) touch.symbol(name, FIRST_INSTRUCTIONS)
  for (const name of schedulers) touch.symbol(name, SCHEDULER_BYTES)
  for (const name of textTables)
    touch.part(() => {
      readTexts(touch, name)
    })
  for (const read of [readNodes, readSections, readCaches, readModules, readPids, readMounts]) {
    touch.part(() => {
      read(touch)
    })
  }
  const bases = readCpus(touch)
  let wanted: Iterable<Task<V>> = []
  touch.part(() => {
    wanted = first()
  })
  touch.part(() => {
    readTasks(touch, tasks, wanted, bases)
  })
}

/**
 * Reads the page tables that map frames in the direct map and in the kernel's image. Both are linear, so this library
 * walks no table there; drgn does.
 */
export function readTables(host: Host, pfns: Iterable<number>): void {
  const { memory, rules, bases, space, symbols, vmcoreinfo } = host
  const top = vmcoreinfo.symbol('swapper_pg_dir')
  if (top === undefined) return
  const root = space.physical(top)
  const frameOf = (name: string): number => {
    const at = symbols.address(name)
    return at === undefined ? 0 : Math.floor(space.physical(at) / PAGE_SIZE)
  }
  const [first, end] = [frameOf('_text'), frameOf('_end')]
  // One table of the last level maps 512 frames.
  const runs = new Set<number>()
  for (const pfn of pfns) runs.add(Math.floor(pfn / 512) * 512)
  for (const pfn of runs) {
    const hpa = BigInt(pfn * PAGE_SIZE)
    walk(memory, rules, root, bases.directMap.value + hpa)
    if (pfn + 512 > first && pfn < end) {
      walk(memory, rules, root, TEXT_MAP - space.physBase + hpa)
    }
  }
}

/** A table, and the texts in the image's read-only part that its words point at. */
function readTexts(touch: Touch, name: string): void {
  const { symbols, space } = touch.host
  const at = symbols.address(name)
  const start = symbols.address('__start_rodata')
  const end = symbols.address('__end_rodata')
  if (at === undefined || start === undefined || end === undefined) return
  const size = Math.min(symbols.size(name) ?? 8, PAGE_SIZE)
  touch.range(at, size)
  for (let i = 0; i + 8 <= size; i += 8) {
    const word = space.u64(at + BigInt(i))
    if (word >= start && word < end) touch.text(word)
  }
}

/** NUMA nodes with their zones: `node_data[]`, or `contig_page_data` among the variables where there is one node. */
function readNodes(touch: Touch): void {
  const { vmcoreinfo, space, types } = touch.host
  const nodes = vmcoreinfo.symbol('node_data')
  const count = Math.min(vmcoreinfo.length('node_data') ?? 0, MAX_NODES)
  if (nodes === undefined) return
  const fields = layout(types, 'pglist_data', { zones: address('node_zones') })
  const zone = layout(types, 'zone', { name: pointer('name') })
  const zoneCount = arrayLength(types, 'pglist_data', 'node_zones') ?? 0
  for (let i = 0; i < count; i++) {
    const node = space.u64(nodes + BigInt(8 * i))
    if (node === 0n) continue
    touch.struct('pglist_data', node)
    touch.part(() => {
      const { zones } = fields.at(space, node)
      for (let z = 0; z < zoneCount; z++) {
        touch.text(zone.at(space, zones + BigInt(z * zone.size)).name)
      }
    })
  }
}

/** MAX_NUMNODES of include/linux/numa.h is 1024 at most. */
const MAX_NODES = 1024

/** The cache of slab caches: crash learns the size of its kind from it. */
function readCaches(touch: Touch): void {
  touch.struct('kmem_cache', touch.host.space.u64(touch.host.symbol('kmem_cache')))
}

/** `mem_section`: an array of pointers (SPARSEMEM_EXTREME), each to one page of sections. */
function readSections(touch: Touch): void {
  const { vmcoreinfo, space, symbols } = touch.host
  const variable = symbols.address('mem_section')
  const count = Math.min(vmcoreinfo.length('mem_section') ?? 0, MAX_ROOTS)
  if (variable === undefined) return
  const roots = space.u64(variable)
  for (let i = 0; i < count; i++) {
    const root = space.u64(roots + BigInt(8 * i))
    if (root !== 0n) touch.range(root, PAGE_SIZE)
  }
}

/** 2^52 bytes in sections of 128 MiB, of which 128 fill a page. */
const MAX_ROOTS = 1 << 18
