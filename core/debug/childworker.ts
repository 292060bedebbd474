// SPDX-License-Identifier: GPL-2.0-or-later
// The thread in which another program is started and waited for; what comes of it is told in shared memory.

import { spawn } from 'node:child_process'
import { workerData } from 'node:worker_threads'

/** What is to be run. `shared`: three 32-bit numbers: 1 when ended or 2 when it cannot be started, the pid, the exit code. */
export interface ChildJob {
  readonly program: string
  readonly args: readonly string[]
  /** The descriptor that gets its output. */
  readonly log: number
  readonly shared: SharedArrayBuffer
}

const { program, args, log, shared } = workerData as ChildJob
const told = new Int32Array(shared)

function tell(state: number, code: number): void {
  told[2] = code
  Atomics.store(told, 0, state)
  Atomics.notify(told, 0)
}

const child = spawn(program, args, { stdio: ['ignore', log, log] })
Atomics.store(told, 1, child.pid ?? 0)
child.once('error', () => {
  tell(2, -1)
})
child.once('exit', (code) => {
  tell(1, code ?? -1)
})
