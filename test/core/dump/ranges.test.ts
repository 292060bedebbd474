// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/dump/ranges.ts.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { PAGE_SIZE } from '../../../core/dump/format.ts'
import { Ranges } from '../../../core/dump/ranges.ts'

describe('Ranges', () => {
  it('finds every address that a range has, and no other, as asking each range does', () => {
    const range = fc.record({ start: fc.nat(100), length: fc.nat(30) })
    fc.assert(
      fc.property(fc.array(range, { maxLength: 12 }), (given) => {
        const list = given.map(({ start, length }, i) => ({
          start,
          end: start + length,
          offset: 1000 * i + start,
        }))
        const ranges = new Ranges(list)
        for (let address = 0; address < 140; address++) {
          const found = ranges.endingAbove(address)
          const has = found !== undefined && found.start <= address
          const holders = list.filter(({ start, end }) => start <= address && address < end)
          assert.equal(has, holders.length > 0)
          assert.equal(ranges.touch(address, address + 1), has)
          if (!has) continue
          // Offsets count from the address in these ranges, so each holder has one place for the byte.
          const at = found.offset + (address - found.start)
          assert.ok(holders.some(({ start, offset }) => offset + (address - start) === at))
        }
        assert.equal(
          ranges.end,
          Math.max(0, ...list.filter((one) => one.end > one.start).map(({ end }) => end)),
        )
      }),
      { numRuns: 200 },
    )
  })

  it('gives the frames that it touches as runs, as asking each frame does', () => {
    const range = fc.record({ start: fc.nat(20 * PAGE_SIZE), length: fc.nat(3 * PAGE_SIZE) })
    fc.assert(
      fc.property(fc.array(range, { maxLength: 12 }), (given) => {
        const ranges = new Ranges(
          given.map(({ start, length }) => ({ start, end: start + length, offset: 0 })),
        )
        const asked: [number, number][] = []
        for (let pfn = 0; pfn < 24; pfn++) {
          if (!ranges.touch(pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE)) continue
          const last = asked.at(-1)
          if (last?.[1] === pfn) last[1]++
          else asked.push([pfn, pfn + 1])
        }
        assert.deepEqual([...ranges.frames()], asked)
      }),
      { numRuns: 200 },
    )
  })
})
