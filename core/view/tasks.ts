// SPDX-License-Identifier: GPL-2.0-or-later
// Tasks: one as fields, many as a table.

import { hex } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { type Block, type Cell, type View, type ViewOptions } from './block.ts'
import { count, has, left, lostOf, readCell, right, rowsOf } from './table.ts'
import { textOf } from './text.ts'

/** What is shown of a task. */
export interface TaskSummary {
  readonly pid: number
  readonly tgid: number
  readonly comm: string
  /** The address of its `task_struct`. */
  readonly address: bigint
  readonly state: string
  readonly parent: { readonly pid: number; readonly comm: string } | null
  readonly isKernelThread: boolean
  /** Null where the dump does not hold it. */
  readonly commandLine: readonly string[] | null
}

/** True for a task. */
export function isTask(value: object): value is TaskSummary {
  return has(value, 'pid', 'tgid', 'comm', 'address', 'state', 'commandLine')
}

/** One task. */
export function taskView(task: TaskSummary): View {
  const block: Block = {
    kind: 'fields',
    caption: `task ${task.pid} ${printable(task.comm)}`,
    fields: [
      { name: 'task_struct', value: hex(task.address) },
      { name: 'process', value: task.tgid.toString() },
      { name: 'state', value: readCell(() => task.state) },
      { name: 'parent', value: readCell(() => parentOf(task)) },
      { name: 'command line', value: readCell(() => commandLineOf(task)) },
    ],
  }
  return { text: textOf([block]), blocks: [block], charts: [] }
}

/** Many tasks; threads of the kernel in brackets, as ps has them. */
export function tasksView(tasks: readonly TaskSummary[], options: ViewOptions = {}): View {
  const rule = { most: 20, head: 15, tail: 5, all: 'show(dump.tasks(), { rows: Infinity })' }
  const { remark, notes } = lostOf(tasks)
  const block: Block = {
    kind: 'table',
    caption: count(tasks.length, 'task'),
    remark,
    columns: [right('pid'), right('parent'), right('task_struct'), left('state'), left('comm')],
    ...rowsOf(tasks, rule, options, (task) => [
      task.pid.toString(),
      readCell(() => task.parent?.pid.toString() ?? null),
      hex(task.address),
      readCell(() => task.state),
      task.isKernelThread
        ? { text: `[${printable(task.comm)}]`, look: 'dim' }
        : printable(task.comm),
    ]),
  }
  const blocks = [block, ...notes]
  return { text: textOf(blocks), blocks, charts: [] }
}

function parentOf({ parent }: TaskSummary): Cell {
  return parent === null ? null : `${parent.pid} ${printable(parent.comm)}`
}

function commandLineOf(task: TaskSummary): Cell {
  if (task.isKernelThread) return { text: 'kernel thread', look: 'dim' }
  const words = task.commandLine
  return words === null ? { text: 'not in dump', look: 'dim' } : printable(words.join(' '), 1000)
}
