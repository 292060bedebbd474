// SPDX-License-Identifier: GPL-2.0-or-later
// A guest so large that other threads unpack its page tables: the same columns, and every region once.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { newColumns, runColumns } from '../../../core/bulk/run.ts'
import { bytesAsFile } from '../../../core/dump/file.ts'
import { type PageSource } from '../../../core/dump/format.ts'
import { openPages } from '../../../core/dump/open.ts'
import { buildLargeGuest, frameOf, largeGuestEngine, withoutAhead } from '../../build/largeguest.ts'
import { checkSame } from './compare.ts'

const GIB = 6
const file = buildLargeGuest(GIB)
const pages = () => openPages(bytesAsFile('guest', file))

const everyTable = BigUint64Array.from({ length: GIB * 512 }, (_, i) => BigInt(i) << 21n)
const scattered = BigUint64Array.from(
  { length: 200_000 },
  (_, i) => BigInt((Math.imul(i, 0x9e3779b1) >>> 0) % (GIB * 2 ** 18)) << 12n,
)

function columnsOf(source: PageSource, gpa: BigUint64Array) {
  const engine = largeGuestEngine(source, GIB)
  const columns = newColumns(gpa, { helpers: 0 })
  runColumns(engine, columns, 'test', { helpers: 0 })
  source.close()
  return { columns, built: engine.mapping.built }
}

describe('page tables that are unpacked ahead', () => {
  for (const [name, gpa] of [
    ['in order', everyTable],
    ['anywhere', scattered],
  ] as const) {
    it(`say the same, asked ${name}`, () => {
      let asked = 0
      const source = pages()
      const counted: PageSource = Object.assign(Object.create(source) as PageSource, {
        page: (pfn: number) => source.page(pfn),
        ahead: (pfns: readonly number[]) => {
          asked += pfns.length
          source.ahead?.(pfns)
        },
        close: () => {
          source.close()
        },
      })
      const { columns, built } = columnsOf(counted, gpa)
      assert.equal(built, GIB * 512)
      // Each is told of at least once; those behind a block a second time with the block that they are in.
      assert.ok(asked >= GIB * 512 && asked <= 3 * GIB * 512, `${asked} tables were told of`)
      checkSame(columns, columnsOf(withoutAhead(pages()), gpa).columns)
      for (let i = 0; i < gpa.length; i += 997) {
        assert.equal(columns.hpa[i], BigInt(frameOf(Number((gpa[i] ?? 0n) >> 12n))) << 12n)
      }
    })
  }
})
