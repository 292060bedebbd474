// SPDX-License-Identifier: GPL-2.0-or-later
// Unpacking in other threads, ahead of the one that asks: blocks are named, unpacked side by side, and taken in any order.

import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { type AheadJob, DONE, FREE, OWN, TAKEN, unpackNext } from './aheadjob.ts'

/** One block that will be asked for. */
export interface PackedBlock {
  /** What it is asked for by. */
  readonly key: number
  /** The codec's name. */
  readonly codec: string
  readonly data: Uint8Array
}

/** Blocks that are told to the threads at a time. */
export const BATCH = 512
/** Copies that lie in one array: as many go together, as a rule, as came together. */
const ROOM = 64
/** A batch of fewer blocks is unpacked before a thread has woken up. */
const FEW = 32
/** Threads need a tenth of a second to start: after so many blocks it is clear that there are many more. */
const MANY = 2048
/** More threads than this wait for the one that asks. */
const MOST_THREADS = 3
/** A block takes some 20 microseconds; a thread that has not done one for so long has died. */
const PATIENCE_MS = 2000

interface Batch {
  readonly job: AheadJob
  readonly places: Map<number, number>
}

/** Blocks of `size` bytes that are unpacked ahead. No answer depends on it: what is not there is unpacked by who asks. */
export class Ahead {
  readonly #size: number
  readonly #codecs: readonly string[]
  readonly #threads: Worker[] = []
  #seen = 0
  /** The last batch first. */
  #batches: Batch[] = []
  #isClosed = false
  #room = new Uint8Array()
  #used = ROOM

  /** For blocks that are packed in one of `codecs`, and no larger than unpacked. */
  constructor(codecs: readonly string[], size: number) {
    this.#codecs = codecs
    this.#size = size
  }

  /** True when so many blocks are worth to be told of, with all that were before. */
  isWorthIt(count: number): boolean {
    if (count < FEW || this.#isClosed) return false
    this.#seen += count
    return this.#seen >= MANY && availableParallelism() > 1
  }

  /** Has blocks unpacked, the first `BATCH` of them. Those of the batch before the last that were not taken are forgotten. */
  begin(blocks: readonly PackedBlock[]): void {
    if (blocks.length < FEW) return
    const batch = this.#batchToFill()
    const { codec, data, lengths, states } = batch.job
    batch.places.clear()
    const some = blocks.slice(0, BATCH)
    for (const [i, block] of some.entries()) {
      batch.places.set(block.key, i)
      codec[i] = this.#codecs.indexOf(block.codec)
      data.set(block.data, i * this.#size)
      lengths[i] = block.data.length
    }
    // A thread may still look through what was here before: it finds nothing until all is in its place.
    for (let i = 0; i < some.length; i++) Atomics.store(states, i, FREE)
    this.#batches.unshift(batch)
    for (const thread of this.#started()) thread.postMessage(batch.job)
  }

  /** True when the block is in a batch that is kept. */
  has(key: number): boolean {
    return this.#batches.some(({ places }) => places.has(key))
  }

  /** A copy of the block, or undefined when no thread has unpacked it, or could: then it is the caller's to do. */
  take(key: number): Uint8Array | undefined {
    for (const { job, places } of this.#batches) {
      const i = places.get(key)
      if (i === undefined) continue
      const { states, unpacked, size } = job
      if (Atomics.compareExchange(states, i, FREE, OWN) === FREE) return undefined
      // A thread is at it: meanwhile something else is done, if there is anything.
      for (let next = i + 1; next < BATCH && Atomics.load(states, i) === TAKEN;) {
        next = unpackNext(job, next) + 1
      }
      if (Atomics.load(states, i) === TAKEN) Atomics.wait(states, i, TAKEN, PATIENCE_MS)
      if (Atomics.load(states, i) !== DONE) return undefined
      return this.#copyOf(unpacked.subarray(i * size, (i + 1) * size))
    }
    return undefined
  }

  /** Blocks are taken in great numbers, and an array for each of them is more work for the garbage collector than all else. */
  #copyOf(block: Uint8Array): Uint8Array {
    if (this.#used === ROOM) {
      this.#room = new Uint8Array(ROOM * this.#size)
      this.#used = 0
    }
    const copy = this.#room.subarray(this.#used * this.#size, ++this.#used * this.#size)
    copy.set(block)
    return copy
  }

  /** Stops the threads. */
  close(): void {
    this.#isClosed = true
    this.#batches = []
    for (const thread of this.#threads.splice(0)) void thread.terminate()
  }

  /** The room of the batch before the last, when no thread is at it any more, or new room. */
  #batchToFill(): Batch {
    const old = this.#batches.splice(1).at(-1)
    if (old !== undefined) {
      const { states } = old.job
      for (let i = 0; i < BATCH; i++) Atomics.compareExchange(states, i, FREE, OWN)
      if (!states.includes(TAKEN)) return old
    }
    const room = (bytes: number) => new SharedArrayBuffer(bytes)
    const job: AheadJob = {
      codecs: this.#codecs,
      codec: new Uint8Array(room(BATCH)),
      data: new Uint8Array(room(BATCH * this.#size)),
      lengths: new Int32Array(room(4 * BATCH)),
      unpacked: new Uint8Array(room(BATCH * this.#size)),
      size: this.#size,
      states: new Int32Array(room(4 * BATCH)).fill(OWN),
    }
    return { job, places: new Map() }
  }

  #started(): readonly Worker[] {
    if (this.#threads.length > 0) return this.#threads
    const count = Math.min(MOST_THREADS, availableParallelism() - 1)
    // Compiled, or straight from the sources.
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
    for (let i = 0; i < count; i++) {
      const url = new URL(`./aheadworker${extension}`, import.meta.url)
      const thread = new Worker(url, { execArgv: [] })
      // No reason for the process to live on; one that cannot start or dies leaves its blocks to who asks.
      thread.unref()
      thread.on('error', () => undefined)
      this.#threads.push(thread)
    }
    return this.#threads
  }
}
