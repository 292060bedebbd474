// SPDX-License-Identifier: GPL-2.0-or-later
// What tasks do: most sleep, each in one of a few ways; and those that begin a process die with SIGCHLD.

import { count, offsets } from './findings.ts'
import { type Survey } from './survey.ts'

// TASK_* of include/linux/sched.h: running, interruptible, uninterruptible, stopped, traced, parked, killable, idle,
// and interruptible or uninterruptible with TASK_FREEZABLE (since 6.1) or TASK_FROZEN.
const states = new Set([
  ...[0, 1, 2, 4, 8, 0x40, 0x102, 0x402, 0x404, 0x108, 0x208],
  ...[0x2001, 0x2002, 0x2102, 0x2402, 0x8000, 0x1001],
])
const SIGCHLD = 17
const NO_SIGNAL = 0xffffffff

/** Finds task_struct.__state and exit_state, which stands two words before exit_signal. */
export function inferStates({ findings, init, processes, threads }: Survey): void {
  const signals = [...offsets(init.length, 4, 8)].map((offset) =>
    count(offset, [...processes, ...threads], (task) => {
      const signal = task.u32(offset)
      return threads.includes(task) ? signal === NO_SIGNAL : signal === SIGCHLD
    }),
  )
  const rule = {
    of: 'tasks',
    evidence: 'exit_signal, 8 bytes behind it, is SIGCHLD for processes and -1 for threads',
    tolerance: 0.1,
  }
  const tasks = [...processes, ...threads]
  findings.choose(
    'task_struct.exit_state',
    's32',
    signals.map((fit) => ({ ...fit, offset: fit.offset - 8 })),
    { ...rule, atLeast: tasks.length / 2 },
  )
  findings.choose(
    'task_struct.__state',
    'u32',
    [...offsets(init.length, 4)].map((offset) => {
      const kinds = new Set(tasks.map((task) => task.u32(offset) ?? 0))
      const awake = tasks.filter((task) => task.u32(offset) === 0).length
      const fit = count(offset, tasks, (task) => states.has(task.u32(offset) ?? -1))
      return kinds.has(1) && kinds.has(0x402) && awake < tasks.length / 5
        ? fit
        : { ...fit, agreed: 0 }
    }),
    {
      of: 'tasks',
      evidence: 'each has a state that the kernel knows; some sleep, some idle, few run',
      tolerance: 0.02,
    },
  )
}
