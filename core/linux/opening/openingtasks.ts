// SPDX-License-Identifier: GPL-2.0-or-later
// What other readers read of CPUs and tasks: per-CPU areas, the tasks that run, and those that wait.

import { address, arrayLength, layout, optional, pointer } from '../../types/layout.ts'
import { type Task, type Tasks } from '../task.ts'
import { type Touch } from '../touch.ts'
import { treesOf } from '../tree.ts'

/** THREAD_SIZE of arch/x86/include/asm/page_64_types.h (twice that only with KASAN). */
const THREAD_SIZE = 16384
/** So many tasks (threads too) are read with stacks: about 2 KiB each in a slice. Others are missing in crash's list. */
const MAX_TASKS = 1000
/** A task_struct with the largest floating-point state (AMX) has some 20 KiB. */
const MAX_TASK_BYTES = 65536
/** PID_MAX_LIMIT of include/linux/threads.h. */
const MAX_PIDS = 4 << 20

/**
 * Reads the per-CPU area of every possible CPU, its exception stacks, and the tasks that it runs and idles with: crash
 * stops when it cannot read one of them. Gives the start of each CPU's area as it is added to a per-CPU pointer.
 */
export function readCpus(touch: Touch): bigint[] {
  const bases: bigint[] = []
  touch.part(() => {
    for (const base of cpuBases(touch)) {
      bases.push(base)
      touch.part(() => {
        readCpu(touch, base)
      })
    }
  })
  return bases
}

/** `__per_cpu_offset` of the CPUs in `cpu_possible_mask`; those of others point at memory that was given away. */
function cpuBases({ host }: Touch): bigint[] {
  const offsets = host.symbol('__per_cpu_offset')
  const mask = host.space.bytes(
    host.symbol('__cpu_possible_mask'),
    host.types.sizeOf('cpumask') ?? 8,
  )
  const bases: bigint[] = []
  for (let cpu = 0; cpu < mask.length * 8; cpu++) {
    const isPossible = (((mask[cpu >> 3] ?? 0) >> (cpu & 7)) & 1) === 1
    if (isPossible) bases.push(host.space.u64(offsets + BigInt(8 * cpu)))
  }
  return bases
}

function readCpu(touch: Touch, base: bigint): void {
  const { symbols, space, types } = touch.host
  // Per-CPU symbols count from 0 until 6.14; later they are addresses, and the sum wraps around.
  const ofCpu = (symbol: bigint): bigint => BigInt.asUintN(64, base + symbol)
  const start = symbols.address('__per_cpu_start')
  const end = symbols.address('__per_cpu_end')
  if (start !== undefined && end !== undefined) touch.range(ofCpu(start), Number(end - start))
  const stacks = symbols.address('cea_exception_stacks')
  if (stacks !== undefined) {
    touch.part(() => {
      touch.struct('cea_exception_stacks', space.u64(ofCpu(stacks)))
    })
  }
  const queue = symbols.address('runqueues')
  if (queue === undefined) return
  const { idle, current } = layout(types, 'rq', {
    idle: pointer('idle'),
    current: pointer('curr'),
  }).at(space, ofCpu(queue))
  for (const task of [idle, current]) readTask(touch, task)
}

/** Every `struct pid` of the host, with the tree they hang on: from a number to a task (an IDR since 4.15). */
export function readPids(touch: Touch): void {
  const { space, types } = touch.host
  const { idr } = layout(types, 'pid_namespace', { idr: address('idr.idr_rt') }).at(
    space,
    touch.host.symbol('init_pid_ns'),
  )
  for (const pid of treesOf(space, types).entries(idr, MAX_PIDS)) touch.struct('pid', pid)
}

/** Reads tasks, those of `first` before others, with their threads, stacks and what their memory counts. */
export function readTasks<V>(
  touch: Touch,
  tasks: Tasks<V>,
  first: Iterable<Task<V>>,
  cpuBases: readonly bigint[],
): void {
  const seen = new Set<bigint>()
  const spaces = new Set<bigint>()
  const read = (task: Task<V>): void => {
    if (seen.size >= MAX_TASKS || seen.has(task.address)) return
    seen.add(task.address)
    if (task.mmAddress !== 0n) spaces.add(task.mmAddress)
    readTask(touch, task.address)
  }
  for (const processes of [first, tasks.processes()]) {
    for (const process of processes) {
      if (seen.size >= MAX_TASKS) break
      read(process)
      touch.part(() => {
        for (const thread of process.threads) read(thread)
      })
    }
  }
  for (const mm of spaces) touch.struct('mm_struct', mm)
  touch.part(() => {
    readCounters(touch, spaces, cpuBases)
  })
}

function readTask(touch: Touch, task: bigint): void {
  if (task === 0n) return
  touch.range(task, taskSize(touch))
  touch.part(() => {
    const fields = layout(touch.host.types, 'task_struct', { stack: pointer('stack') })
    touch.range(fields.at(touch.host.space, task).stack, THREAD_SIZE)
  })
}

/** The floating-point state at a task's end is as large as the processor wants it (`arch_task_struct_size`, since 4.2). */
function taskSize({ host }: Touch): number {
  const size = host.types.sizeOf('task_struct') ?? 0
  const real = host.symbols.address('arch_task_struct_size')
  return real === undefined ? size : Math.max(size, Math.min(host.space.u32(real), MAX_TASK_BYTES))
}

/**
 * The pages that an mm counts: since 6.2 (commit f1a7941243c1) in per-CPU counters, which crash adds up whenever it
 * looks at a process.
 */
function readCounters(touch: Touch, spaces: Iterable<bigint>, cpuBases: readonly bigint[]): void {
  const { types, space } = touch.host
  const count = arrayLength(types, 'mm_struct', 'rss_stat') ?? 0
  const pages = new Set<bigint>()
  for (let i = 0; i < count; i++) {
    const fields = layout(types, 'mm_struct', {
      counters: optional(pointer(`rss_stat[${i}].counters`)),
    })
    for (const mm of spaces) {
      touch.part(() => {
        const { counters } = fields.at(space, mm)
        if (counters === undefined) return
        for (const base of cpuBases) pages.add(BigInt.asUintN(64, base + counters) & ~0xfffn)
      })
    }
  }
  for (const page of pages) touch.range(page, 1)
}
