// SPDX-License-Identifier: GPL-2.0-or-later
// Threads for large runs: started with the first one, kept, and no reason for the process to live on.

import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { type Columns } from './columns.ts'
import { type Engine } from './engine.ts'
import { BLOCK, BUSY, CLEAN, DONE, type Job, NEXT, takeBlocks } from './job.ts'
import { LANE_WORDS, LANES } from './lane.ts'

/** Below this, one thread is done before another has been told. */
const LARGE = 2 ** 22

/** How many threads a run of so many rows is worth, besides the one that asks. */
export function helpersFor(rows: number): number {
  return rows < LARGE ? 0 : Math.min(LANES, availableParallelism()) - 1
}

const threads: Worker[] = []

function threadsUpTo(count: number): readonly Worker[] {
  while (threads.length < count) {
    // Compiled, or straight from the sources.
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
    const thread = new Worker(new URL(`./worker${extension}`, import.meta.url), { execArgv: [] })
    thread.unref()
    const drop = () => {
      const at = threads.indexOf(thread)
      if (at >= 0) threads.splice(at, 1)
    }
    // A thread that cannot start or dies is one less: its blocks are done here.
    thread.on('error', drop)
    thread.on('exit', drop)
    threads.push(thread)
  }
  return threads.slice(0, count)
}

/** A block takes a millisecond; a thread that has done none for so long has died. */
const PATIENCE = 30_000

/** What threads may still be at, by engine: a call that was interrupted does not call them off. */
const underway = new WeakMap<Engine, Job>()

/** Waits until no thread is at an older run: what it reads must not change. */
export function quiet(engine: Engine): void {
  const job = underway.get(engine)
  if (job === undefined) return
  // No block is left for whoever comes now.
  Atomics.store(job.control, NEXT, job.seen.length)
  for (let busy = 1; busy > 0;) {
    busy = Atomics.load(job.control, BUSY)
    if (busy > 0 && Atomics.wait(job.control, BUSY, busy, PATIENCE) === 'timed-out') break
  }
  underway.delete(engine)
}

/**
 * Runs over all blocks together with `helpers` more threads; `seen` has what the kernel said of each block: those where
 * something is left to do are the caller's. Threads that are not up yet join when they are. `advance` is told of rows
 * that are done for good.
 */
export function runTogether(
  engine: Engine,
  columns: Columns,
  loop: Job['loop'],
  helpers: number,
  seen: Int32Array,
  advance: (rows: number) => void,
): void {
  const { mapping, wasm } = engine
  const rows = columns.state.length
  const blocks = seen.length
  const job: Job = {
    memory: mapping.memory.wasm,
    places: mapping.places,
    columns,
    loop,
    rows,
    control: new Int32Array(new SharedArrayBuffer(16)),
    seen,
  }
  underway.set(engine, job)
  for (const [i, thread] of threadsUpTo(helpers).entries()) {
    thread.postMessage({ job, lane: mapping.lanes + LANE_WORDS * (i + 1) })
  }
  let told = 0
  const tell = () => {
    const clean = Atomics.load(job.control, CLEAN)
    // The last block is a short one; the caller's rounding puts that right.
    if (clean > told) advance((clean - told) * BLOCK)
    told = clean
  }
  takeBlocks(job, wasm[loop], tell)
  for (;;) {
    const done = Atomics.load(job.control, DONE)
    if (done === blocks) break
    if (Atomics.wait(job.control, DONE, done, PATIENCE) !== 'timed-out') continue
    for (const thread of threads.splice(0)) void thread.terminate()
    break
  }
  tell()
}
