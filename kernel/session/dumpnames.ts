// SPDX-License-Identifier: GPL-2.0-or-later
// A thread that lists what a dump holds: tasks, virtual machines, kernel symbols.
import { parentPort, workerData } from 'node:worker_threads'
import { type HostDump, openDump } from '../../core/index.ts'
import type { DumpNames } from '../frames.ts'

/** A host with more processes than this is not offered whole. */
const mostTasks = 20_000

const paths: unknown = workerData
const dump = openDump(Array.isArray(paths) ? paths.map(String) : String(paths))
const known: DumpNames = {
  tasks: read(() => tasksOf(dump), []),
  vms: read(() => vmsOf(dump), []),
  symbols: read(() => symbolsOf(dump), ''),
}
dump.close()
parentPort?.postMessage(known)

/** The dump may lack one thing and hold the others. */
function read<Value>(get: () => Value, otherwise: Value): Value {
  try {
    return get()
  } catch {
    return otherwise
  }
}

function tasksOf(from: HostDump): DumpNames['tasks'] {
  return from
    .tasks()
    .slice(0, mostTasks)
    .map(({ pid, comm }) => ({ pid, comm }))
}

function vmsOf({ vms }: HostDump): string[] {
  return vms.flatMap(({ name, uuid }) => name ?? uuid ?? [])
}

function symbolsOf({ host }: HostDump): string {
  return host.symbols
    .names('', Infinity)
    .map((name) => `${name}\n`)
    .join('')
}
