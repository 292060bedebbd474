// SPDX-License-Identifier: GPL-2.0-or-later
// Every frame that processes have mapped beside the guests' memory, noted once.

import { DumpError } from '../errors.ts'
import { type Vm } from '../kvm/vm.ts'
import { type SwapFormat } from '../linux/swap/swapentry.ts'
import { type Task } from '../linux/task.ts'
import { withProgress } from '../progress.ts'
import { type GuestRun } from './guestframes.ts'
import { MappedFrames } from './mappedframes.ts'
import { noteRange, type Notes, tellMissing } from './noting.ts'

/** The frames of processes. The number of a range is that of its process in `tasks`. */
export interface ProcessFrames extends Notes {
  readonly tasks: readonly Task<Vm>[]
}

/** Processes of one host, as far as its list of tasks can be followed, and why not farther. */
export interface KnownProcesses {
  readonly tasks: readonly Task<Vm>[]
  readonly problem: string | null
}

/**
 * Reads the page tables of all processes, without the parts that are memory of guests: those are in `runs`. What cannot
 * be read is told in `remarks`; the rest is there.
 */
export function noteProcesses(
  { tasks, problem }: KnownProcesses,
  runs: readonly GuestRun[],
  format: SwapFormat,
  endPfn: number,
): ProcessFrames {
  const byMm = new Map<bigint, Task<Vm>>()
  for (const task of tasks) {
    if (task.mmAddress !== 0n && !byMm.has(task.mmAddress)) byMm.set(task.mmAddress, task)
  }
  const processes = [...byMm.values()]
  const notes: ProcessFrames = {
    tasks: processes,
    frames: new MappedFrames(),
    special: new Map(),
    missing: new Map(),
    remarks: problem === null ? [] : [problem],
  }
  const work = { label: "noting the processes' frames", unit: 'pages' }
  return withProgress(work, (advance) => {
    for (const [number, task] of processes.entries()) {
      try {
        noteProcess(notes, task, number, runs, format, endPfn, advance)
      } catch (error) {
        if (!(error instanceof DumpError)) throw error
        notes.remarks.push(`pid ${task.pid}: ${error.message}`)
      }
    }
    tellMissing(notes)
    return notes
  })
}

function noteProcess(
  notes: Notes,
  task: Task<Vm>,
  number: number,
  runs: readonly GuestRun[],
  format: SwapFormat,
  endPfn: number,
  advance: (count: number) => void,
): void {
  const space = task.userSpace
  const end = 2 ** (9 * space.rules.levels - 1)
  const own = runs.filter(({ vm }) => vm.mmAddress === task.mmAddress)
  let vpn = 0
  for (const run of [...own.sort((a, b) => a.vpn - b.vpn), { vpn: end, count: 0 }]) {
    const range = { number, name: `pid ${task.pid}`, vpn, count: run.vpn - vpn, isWhole: false }
    if (range.count > 0) noteRange(notes, space, format, range, endPfn, advance)
    vpn = Math.max(vpn, run.vpn + run.count)
  }
}
