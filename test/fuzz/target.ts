// SPDX-License-Identifier: GPL-2.0-or-later
// What a fuzz target is, and what every damaged input must do: end soon, in an answer or in a DumpError.
import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { DumpError } from '../../core/errors.ts'
import { type Change, changes, damage } from './mutate.ts'

/** Something that reads bytes which nobody vouches for. A new one is a line in a table. */
export interface FuzzTarget {
  readonly name: string
  /** Good bytes. */
  readonly seed: Uint8Array
  /** Offsets of what decides most: headers, tables. */
  readonly dense: readonly number[]
  /** How much one input costs beside the others: 1 for microseconds, 20 for milliseconds. */
  readonly cost: number
  /** Milliseconds that an input may take, for those that are searched from end to end. */
  readonly mostMs?: number
  /** Bytes that stay with the target itself, such as the pages that a real dump keeps once they are read. */
  readonly keeps?: number
  /** A checksum turns nearly every damage away. */
  readonly checksummed?: boolean
  /** Reads bytes to the end. May throw DumpErrors; gives whether it came to read more than headers. */
  readonly read: (bytes: Uint8Array) => boolean | Promise<boolean>
}

/** No input may take longer, in milliseconds of this process, if its target does not say more. */
const usualMs = 1000
/** No input may take more than this and twice its length, beside what its target keeps. */
const mostBytes = 64 << 20

// Node does not let a program collect garbage unless it is told so; it may be told at any time.
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Reads damaged bytes, and holds it against the promise. True when more than headers was read. */
export async function survive(target: FuzzTarget, bytes: Uint8Array): Promise<boolean> {
  const before = process.memoryUsage()
  const start = process.cpuUsage()
  let deep = false
  try {
    deep = await target.read(bytes)
  } catch (error) {
    if (!(error instanceof DumpError)) throw error
    assert.notEqual(error.message, '')
  }
  const { user, system } = process.cpuUsage(start)
  const took = (user + system) / 1000
  assert.ok(took < (target.mostMs ?? usualMs), `it took ${took} ms`)
  const limit = mostBytes + 2 * bytes.length + (target.keeps ?? 0)
  const grown = (): number => process.memoryUsage().arrayBuffers - before.arrayBuffers
  // What nobody holds any more counts until it is collected.
  if (grown() >= limit) collectGarbage()
  assert.ok(grown() < limit, `it took ${grown()} bytes`)
  return deep
}

/** Damages the seed of a target so many times; throws with the least damage that breaks a promise. Gives how many got deep. */
export async function fuzz(target: FuzzTarget, runs: number, seed: number): Promise<number> {
  let deep = 0
  await fc.assert(
    fc.asyncProperty(changes(target.seed.length, target.dense), async (list: Change[]) => {
      if (await survive(target, damage(target.seed, list))) deep++
    }),
    { numRuns: runs, seed },
  )
  return deep
}
