// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/dump/kdump/rank.ts, against counting bit by bit.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytesAsFile, type FileBytes } from '../../../../core/dump/file.ts'
import { Bitmap } from '../../../../core/dump/kdump/rank.ts'

// Random enough, and the same every time.
function randomBytes(length: number): Uint8Array {
  let state = 12345
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return state >> 16
  })
}

// Sections of 8 KiB: all bits, no bits, random ones.
function sections(...rows: readonly string[]): Uint8Array {
  const kinds = { '0': new Uint8Array(8192), '1': new Uint8Array(8192).fill(0xff) }
  return Uint8Array.from(
    Array.from(rows.join('')).flatMap((kind) => [
      ...(kind === '0' || kind === '1' ? kinds[kind] : randomBytes(8192)),
    ]),
  )
}

const patterns: readonly [name: string, bits: Uint8Array][] = [
  ['one byte', Uint8Array.of(0b10110001)],
  ['no bits', new Uint8Array(20_000)],
  ['all bits', new Uint8Array(20_000).fill(0xff)],
  ['a size that is no multiple of anything', randomBytes(16_384 + 64 + 4 + 3)],
  ['exactly two sections', randomBytes(16_384)],
  ['sections that are full, empty and neither', sections('10x', '011', 'x01', 'xxx')],
]
describe('Bitmap', () => {
  for (const [name, bits] of patterns) {
    it(`has the right bits and ranks: ${name}`, () => {
      const file = new Uint8Array(bits.length + 14).fill(0xff)
      file.set(bits, 7)
      const bitmap = new Bitmap(bytesAsFile('bits', file), 7, bits.length, 'bitmap')
      let rank = 0
      const ranks: number[] = []
      for (let pfn = 0; pfn < bits.length * 8; pfn++) {
        ranks.push(rank)
        const set = (((bits[pfn >> 3] ?? 0) >> (pfn & 7)) & 1) === 1
        assert.equal(bitmap.has(pfn), set)
        if (set) rank++
      }
      assert.equal(bitmap.rank(bits.length * 8), rank)
      assert.equal(bitmap.rank(bits.length * 8 + 1000), rank)
      // From the end to the start, so that no question profits from the one before it.
      for (let pfn = bits.length * 8 - 1; pfn >= 0; pfn -= 7)
        assert.equal(bitmap.rank(pfn), ranks[pfn])
      assert.equal(bitmap.has(bits.length * 8), false)
      assert.equal(bitmap.has(-1), false)
    })
  }

  for (const [name, bits] of patterns) {
    it(`lists the runs of set bits up to any frame: ${name}`, () => {
      const bitmap = new Bitmap(bytesAsFile('bits', bits), 0, bits.length, 'bitmap')
      const last = bits.length * 8
      for (const end of [0, 1, 5, 8, 65_536, 65_537, last - 3, last, last + 100]) {
        const wanted: [number, number][] = []
        for (let pfn = 0; pfn < Math.min(end, last); pfn++) {
          if ((((bits[pfn >> 3] ?? 0) >> (pfn & 7)) & 1) === 0) continue
          const run = wanted.at(-1)
          if (run?.[1] === pfn) run[1]++
          else wanted.push([pfn, pfn + 1])
        }
        assert.deepEqual([...bitmap.runs(end)], wanted, `up to ${end}`)
      }
    })
  }

  it('reads nothing before it is asked, and then no more than up to the frame', () => {
    const reads: number[] = []
    const file: FileBytes = {
      name: 'a bitmap of 16 TiB',
      size: 2 ** 29,
      read(_, length) {
        reads.push(length)
        return new Uint8Array(length).fill(0xff)
      },
      close() {
        return
      },
    }
    const bitmap = new Bitmap(file, 0, 2 ** 29, 'bitmap')
    const total = () => reads.reduce((sum, length) => sum + length, 0)
    assert.equal(total(), 0)
    assert.equal(bitmap.has(2 ** 32 - 1), true)
    assert.ok(total() <= 8192)
    assert.equal(bitmap.rank(1_000_000), 1_000_000)
    assert.ok(total() <= 8192 * 18, `${total()} bytes`)
  })
})
