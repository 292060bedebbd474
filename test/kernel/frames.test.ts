// SPDX-License-Identifier: GPL-2.0-or-later
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { encodeFrame, FrameReader, type ToCompiler } from '../../kernel/frames.ts'

suite('frames', () => {
  test('come out as they went in, however the pipe cuts them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme', maxLength: 50 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }),
        (codes, cuts) => {
          const sent = codes.map((code, id): ToCompiler => ({ type: 'is_complete', id, code }))
          const bytes = Buffer.concat(sent.map(encodeFrame))
          const taken: ToCompiler[] = []
          const reader = new FrameReader<ToCompiler>((message) => taken.push(message))
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = cuts[i % cuts.length] ?? 1
            reader.push(bytes.subarray(at, at + size))
            at += size
          }
          assert.deepEqual(taken, sent)
        },
      ),
    )
  })

  test('of a length beyond all measure are refused', () => {
    const reader = new FrameReader(() => undefined)
    assert.throws(() => {
      reader.push(Buffer.from([255, 255, 255, 255]))
    }, RangeError)
  })
})
