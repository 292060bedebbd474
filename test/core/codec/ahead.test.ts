// SPDX-License-Identifier: GPL-2.0-or-later
// Blocks that other threads unpack: the same bytes, whoever did it, and nothing depends on a thread.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deflateSync } from 'node:zlib'
import { Ahead, BATCH, type PackedBlock } from '../../../core/codec/ahead.ts'

const SIZE = 4096
const codecs = ['zlib', 'lzo']

/** The bytes of the block with a key. */
function bytesOf(key: number, size = SIZE): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (Math.imul(key + 1, i + 7) >>> 5) & 0xff)
}

function ready(): Ahead {
  const ahead = new Ahead(codecs, SIZE)
  // As if many were asked for before.
  while (!ahead.isWorthIt(BATCH));
  return ahead
}

function block(key: number, data = deflateSync(bytesOf(key))): PackedBlock {
  return { key, codec: 'zlib', data }
}

function blocks(from: number, count: number): PackedBlock[] {
  return Array.from({ length: count }, (_, i) => block(from + i))
}

/** Takes a block; the caller has it to unpack where there is none. */
function takeAll(ahead: Ahead, from: number, count: number): number {
  let unpacked = 0
  for (let key = from; key < from + count; key++) {
    const found = ahead.take(key)
    if (found === undefined) continue
    unpacked++
    assert.deepEqual(found, bytesOf(key), `block ${key}`)
  }
  return unpacked
}

/** Waits until a thread has unpacked everything. */
async function untilDone(ahead: Ahead, key: number): Promise<void> {
  for (let i = 0; i < 500; i++) {
    // Only what nobody has begun gives undefined, and is the caller's from then on.
    if (ahead.take(key) !== undefined) return
    await new Promise((resolve) => setTimeout(resolve, 20))
    ahead.begin(blocks(key, 64))
  }
  assert.fail('no thread has unpacked a block in ten seconds')
}

/** Begins batches, behind other blocks, until threads have unpacked some of one. */
async function someTaken(ahead: Ahead, count: number, before: readonly PackedBlock[] = []) {
  for (let from = 10_000; from < 60_000; from += 1000) {
    ahead.begin([...before, ...blocks(from, count)])
    await new Promise((resolve) => setTimeout(resolve, 200))
    const unpacked = takeAll(ahead, from, count)
    if (unpacked > 0) return { from, unpacked }
  }
  assert.fail('no thread has unpacked a block in ten seconds')
}

describe('blocks that are unpacked ahead', () => {
  it('are worth a thread only when there are many', () => {
    const ahead = new Ahead(codecs, SIZE)
    assert.equal(ahead.isWorthIt(31), false)
    assert.equal(ahead.isWorthIt(512), false)
    assert.equal(ahead.isWorthIt(10_000), true)
    ahead.close()
    assert.equal(ahead.isWorthIt(10_000), false)
  })

  it('are the same bytes, and are given again', async () => {
    const ahead = ready()
    ahead.begin(blocks(0, 64))
    await untilDone(ahead, 0)
    const { from, unpacked } = await someTaken(ahead, BATCH)
    // Those that were nobody's are the caller's from then on.
    assert.equal(takeAll(ahead, from, BATCH), unpacked)
    ahead.close()
  })

  it('are the same bytes when they are taken while they are unpacked', async () => {
    const ahead = ready()
    ahead.begin(blocks(0, 64))
    await untilDone(ahead, 0)
    let unpacked = 0
    // On a busy machine the thread has no turn for a while.
    for (let batch = 1; batch <= 8 || (unpacked === 0 && batch < 500); batch++) {
      ahead.begin(blocks(batch * 1000, BATCH))
      if (batch > 8) await new Promise((resolve) => setTimeout(resolve, 1))
      unpacked += takeAll(ahead, batch * 1000, BATCH)
    }
    assert.ok(unpacked > 0, 'threads have unpacked none')
    ahead.close()
  })

  it('stay with who asks for them before a thread is up', () => {
    const ahead = ready()
    ahead.begin(blocks(0, 40))
    // A thread takes some time to start; whoever was first, it stays so.
    const first = ahead.take(0)
    assert.deepEqual(ahead.take(0), first)
    if (first !== undefined) assert.deepEqual(first, bytesOf(0))
    ahead.close()
  })

  it('are left to the caller when they are damaged, or of an unknown codec', async () => {
    const ahead = ready()
    ahead.begin(blocks(0, 64))
    await untilDone(ahead, 0)
    const broken = [
      block(5000, Buffer.from('no zlib stream')),
      { key: 5001, codec: 'snappy', data: Buffer.alloc(10) },
      block(5002, deflateSync(bytesOf(1, SIZE / 2))),
      block(5003, Buffer.alloc(0)),
    ]
    await someTaken(ahead, 64, broken)
    for (const { key } of broken) assert.equal(ahead.take(key), undefined, `block ${key}`)
    ahead.close()
  })

  it('are at most a batch, and what is more is not begun', () => {
    const ahead = ready()
    ahead.begin(blocks(0, BATCH + 100))
    assert.equal(ahead.has(BATCH - 1), true)
    assert.equal(ahead.has(BATCH), false)
    assert.equal(ahead.take(BATCH), undefined)
    takeAll(ahead, 0, BATCH)
    ahead.close()
  })

  it('are forgotten when two batches have come after', async () => {
    const ahead = ready()
    ahead.begin(blocks(0, 64))
    await untilDone(ahead, 0)
    ahead.begin(blocks(1000, 64))
    ahead.begin(blocks(2000, 64))
    ahead.begin(blocks(3000, 64))
    assert.equal(ahead.has(1000), false)
    assert.equal(ahead.take(1000), undefined)
    assert.equal(ahead.has(2000), true)
    takeAll(ahead, 2000, 64)
    takeAll(ahead, 3000, 64)
    ahead.close()
    assert.equal(ahead.take(3000), undefined)
  })
})
