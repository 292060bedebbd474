// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/dump/chunks.ts.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { CHUNK_BYTES, ChunkedFile } from '../../../core/dump/chunks.ts'
import { bytesAsFile, type FileBytes } from '../../../core/dump/file.ts'
import { FormatError } from '../../../core/errors.ts'

const content = Uint8Array.from(
  { length: 300_000 },
  (_, i) => (Math.imul(i, 2654435761) >>> 20) & 0xff,
)

function counted(): { file: FileBytes; reads: number[] } {
  const reads: number[] = []
  const inner = bytesAsFile('content', content)
  const file: FileBytes = {
    ...inner,
    read(offset, length, what) {
      reads.push(offset)
      return inner.read(offset, length, what)
    },
  }
  return { file, reads }
}

describe('ChunkedFile', () => {
  it('reads the same bytes as the file, in any order and length', () => {
    const file = new ChunkedFile(bytesAsFile('content', content), 2)
    fc.assert(
      fc.property(
        fc.nat(content.length),
        fc.oneof(fc.nat(5000), fc.nat(200_000)),
        (offset, length) => {
          const end = Math.min(content.length, offset + length)
          const part = file.read(offset, end - offset, 'part')
          assert.equal(Buffer.compare(part, content.subarray(offset, end)), 0)
        },
      ),
      { numRuns: 200 },
    )
  })

  it('reads neighbours with one read, and a chunk that it kept not again', () => {
    const { file, reads } = counted()
    const chunked = new ChunkedFile(file, 2)
    for (let at = 0; at < CHUNK_BYTES - 24; at += 24) chunked.read(at, 8, 'desc')
    assert.deepEqual(reads, [0])
    chunked.read(CHUNK_BYTES - 6, 12, 'across')
    chunked.read(10, 8, 'desc')
    assert.deepEqual(reads, [0, CHUNK_BYTES])
  })

  it('keeps the chunks that were used last', () => {
    const { file, reads } = counted()
    const chunked = new ChunkedFile(file, 2)
    for (const index of [0, 1, 0, 2, 0, 1]) chunked.read(index * CHUNK_BYTES, 8, 'part')
    assert.deepEqual(reads, [0, CHUNK_BYTES, 2 * CHUNK_BYTES, CHUNK_BYTES])
  })

  it('throws what the file throws behind its end', () => {
    const chunked = new ChunkedFile(bytesAsFile('content', content), 2)
    for (const [offset, length] of [
      [299_999, 2],
      [300_001, 0],
      [-1, 4],
      [NaN, 4],
    ] as const) {
      assert.throws(() => chunked.read(offset, length, 'part'), FormatError)
    }
  })
})
