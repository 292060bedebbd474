// SPDX-License-Identifier: GPL-2.0-or-later
// One run that several threads share: each takes the next block that nobody has, until there is none.

import { type Columns } from './columns.ts'
import { type Kernel, type Loop, type Places } from './kernels.ts'
import { wasmKernels } from './wasm.ts'
import { type WasmMemory } from './webassembly.ts'

/** So many addresses are done at a time: less than a millisecond where nothing is to be read. */
export const BLOCK = 65536

/** What threads need for a run. All arrays are shared memory. */
export interface Job {
  readonly memory: WasmMemory
  readonly places: Places
  readonly columns: Columns
  readonly loop: Loop
  readonly rows: number
  /** The next block to take, the blocks that are done, those of them where nothing is left to do, and threads at work. */
  readonly control: Int32Array
  /** What the kernel gave for each block; NOT_DONE before. */
  readonly seen: Int32Array
}

/** A job with the lane of the thread that it is sent to. */
export interface JobOfThread {
  readonly job: Job
  readonly lane: number
}

export const NEXT = 0
export const DONE = 1
export const CLEAN = 2
export const BUSY = 3

/** A block that nobody has done yet. */
export const NOT_DONE = -1

/** Takes blocks until none is left. `each` is called after every one. */
export function takeBlocks(job: Job, kernel: Kernel, each: () => void): void {
  const words = new Uint32Array(job.memory.buffer)
  for (;;) {
    const block = Atomics.add(job.control, NEXT, 1)
    if (block >= job.seen.length) return
    const from = block * BLOCK
    const to = Math.min(job.rows, from + BLOCK)
    const seen = kernel(words, job.places, job.columns, from, to)
    Atomics.store(job.seen, block, seen)
    if (seen === 0) Atomics.add(job.control, CLEAN, 1)
    Atomics.add(job.control, DONE, 1)
    Atomics.notify(job.control, DONE)
    each()
  }
}

/** The same in another thread, with a lane of its own. */
export function takeBlocksIn({ job, lane }: JobOfThread): void {
  Atomics.add(job.control, BUSY, 1)
  takeBlocks(job, wasmKernels(job.memory, lane)[job.loop], () => undefined)
  Atomics.sub(job.control, BUSY, 1)
  Atomics.notify(job.control, BUSY)
}
