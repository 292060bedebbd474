// SPDX-License-Identifier: GPL-2.0-or-later
// A batch of blocks that several threads unpack: each takes the next that nobody has.

import { codecs, decode } from './index.ts'

/** Room for a batch of blocks. All arrays are shared memory. */
export interface AheadJob {
  readonly codecs: readonly string[]
  /** The number of each block's codec in `codecs`. */
  readonly codec: Uint8Array
  /** The packed data: those of block N begin at N times `size`, and are so long. */
  readonly data: Uint8Array
  readonly lengths: Int32Array
  /** Unpacked blocks of `size` bytes. */
  readonly unpacked: Uint8Array
  readonly size: number
  /** For each block one of the states below. */
  readonly states: Int32Array
}

/** Nobody is at it; somebody is; it is unpacked; it could not be; who asks for it does it, or there is none. */
export const FREE = 0
export const TAKEN = 1
export const DONE = 2
export const FAILED = 3
export const OWN = 4

/** Unpacks the first block from `from` on that nobody has, and gives its number; that of the end when there is none. */
export function unpackNext(job: AheadJob, from: number): number {
  const { data, lengths, unpacked, size, states } = job
  let i = from
  while (i < states.length && Atomics.compareExchange(states, i, FREE, TAKEN) !== FREE) i++
  if (i >= states.length) return i
  let state = FAILED
  try {
    const codec = codecs.get(job.codecs[job.codec[i] ?? 0] ?? '')
    if (codec !== undefined) {
      // A copy: zlib takes no shared memory.
      const packed = data.slice(i * size, i * size + (lengths[i] ?? 0))
      unpacked.set(decode(codec, packed, size), i * size)
      state = DONE
    }
  } catch {
    // Who asks for it decodes it again, and tells what is wrong with it.
  }
  Atomics.store(states, i, state)
  Atomics.notify(states, i)
  return i
}
