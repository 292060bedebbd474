// SPDX-License-Identifier: GPL-2.0-or-later
// Runs another program while a synchronous caller waits, so that it can tell progress and be interrupted.

import { Worker } from 'node:worker_threads'
import { withProgress } from '../progress.ts'
import type { ChildJob } from './childworker.ts'

/** How a program ended. */
export type ChildEnd =
  | { readonly how: 'code'; readonly code: number }
  | { readonly how: 'not-found' }
  | { readonly how: 'time' }

const TICK_MS = 250
/** Indexes of what the worker tells. */
const STATE = 0
const PID = 1
const CODE = 2

/**
 * Runs a program to its end, its output appended to the file behind a descriptor. `label` is what is shown. It is
 * killed after `limitSeconds`, and when whoever shows the progress throws.
 */
export function runChild(
  program: string,
  args: readonly string[],
  log: number,
  label: string,
  limitSeconds: number,
): ChildEnd {
  const shared = new SharedArrayBuffer(12)
  const told = new Int32Array(shared)
  // Compiled, or straight from the sources.
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
  const job: ChildJob = { program, args, log, shared }
  const worker = new Worker(new URL(`./childworker${extension}`, import.meta.url), {
    workerData: job,
  })
  worker.unref()
  try {
    return withProgress({ label, unit: 'seconds' }, (advance) => {
      const end = performance.now() + limitSeconds * 1000
      let seconds = performance.now()
      for (;;) {
        Atomics.wait(told, STATE, 0, TICK_MS)
        const state = Atomics.load(told, STATE)
        if (state !== 0) {
          return state === 1 ? { how: 'code', code: told[CODE] ?? -1 } : { how: 'not-found' }
        }
        if (performance.now() > end) return { how: 'time' }
        const passed = Math.floor((performance.now() - seconds) / 1000)
        advance(passed)
        seconds += passed * 1000
      }
    })
  } finally {
    const pid = Atomics.load(told, PID)
    if (Atomics.load(told, STATE) === 0 && pid > 0) kill(pid)
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself just now.
  }
}
