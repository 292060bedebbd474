// SPDX-License-Identifier: GPL-2.0-or-later
// How a bulk translation looks: head and tail, counts over all rows, bars.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { qemuVtop, show, type TranslationTable, viewOf } from '../../../core/index.ts'
import { specOf } from '../../../kernel/display/chart/index.ts'
import { svgOf } from '../../../kernel/display/svg.ts'
import { guestHva, smallHost, vmmPid, withDump } from '../../build/smallhost.ts'
import { page, swapEntry } from '../../build/pagetable.ts'

/** 998 rows of three slots in four states, and two that are in none. */
function withTable<T>(use: (table: TranslationTable) => T): T {
  const slots = [
    { id: 0, gpa: 0, pages: 600, hva: guestHva },
    { id: 7, gpa: 0x40000000, pages: 398, hva: guestHva + 0x800000n },
  ]
  const entries = [
    [guestHva, 2, page(0x20000000, 2)],
    [guestHva + 0x800000n, 1, page(0x10000000)],
    [guestHva + 0x801000n, 1, swapEntry(0, 7)],
  ] as const
  return withDump(smallHost({}, { vms: [{ slots }], entries }), (dump) => {
    const gpas = slots.flatMap(({ gpa, pages }) =>
      Array.from({ length: pages }, (_, i) => gpa + i * 4096),
    )
    return use(qemuVtop(dump.task(vmmPid), [...gpas, -1, 2 ** 45]))
  })
}

test('a bulk translation is shown by its first and last rows, with the states of all', () => {
  withTable((table) => {
    const text = viewOf(table)?.text ?? ''
    const lines = text.split('\n')
    assert.match(text, /^1,000 translations\n/)
    assert.match(text, /^\.\.\. 992 more: show\(table, { rows: 100 }\)$/m)
    assert.match(lines[2] ?? '', /^ +0 +0x0 +0x7f0000000000 +0x20000000 +2 MiB +mapped +0$/)
    assert.match(lines[9] ?? '', /^998 +- +- +- +- +invalid +-$/)
    assert.match(
      text,
      /states {2}mapped 513 \(51\.3 %\), swapped 1 \(0\.1 %\), unmapped 484 \(48\.4 %\)/,
    )
    assert.ok(lines.every((line) => line.length <= 80))
    const block = viewOf(show(table, { rows: 30 }))?.blocks[0]
    assert.equal(block?.kind === 'table' ? block.rows.length : 0, 30)
  })
})

test('its bars are whole, one for all rows and one for each slot, and say what the text says', () => {
  withTable((table) => {
    const [bars] = viewOf(table)?.charts ?? []
    assert.ok(bars?.chart === 'share-bars')
    assert.deepEqual(
      [...new Set(bars.pieces.map(({ group }) => group))],
      ['all 1,000 rows', 'slot 0, 600 rows', 'slot 7, 398 rows'],
    )
    let end = 100
    for (const { group, tone, from, to, share } of bars.pieces) {
      assert.equal(from, end === 100 ? 0 : end, `${group} ${tone}`)
      assert.ok(to > from)
      assert.ok(bars.text.includes(share))
      end = to
    }
    assert.equal(end, 100)
    assert.deepEqual(bars.tones, ['mapped 2M', 'mapped 4K', 'swapped', 'not touched', 'hole'])
    assert.match(bars.description, /mapped 2M 512 rows, 51\.2 %/)
  })
})

test('an empty table has no chart', () => {
  withTable((table) => {
    const view = viewOf(table.slice(0, 0))
    assert.match(view?.text ?? '', /^0 translations/)
    assert.deepEqual(view?.charts, [])
  })
})

test('its bars are drawn, twice the same', async () => {
  const bars = withTable((table) => viewOf(table)?.charts[0])
  assert.ok(bars?.chart === 'share-bars')
  const spec = specOf(bars, false)
  assert.ok(spec)
  const svg = await svgOf(spec, bars.title, bars.description)
  assert.match(svg, /^<svg/)
  assert.equal(await svgOf(spec, bars.title, bars.description), svg)
})
