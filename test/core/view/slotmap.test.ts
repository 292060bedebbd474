// SPDX-License-Identifier: GPL-2.0-or-later
// The layout of the slot map.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type SlotMapInput } from '../../../core/view/chart.ts'
import { slotMapOf } from '../../../core/view/slotmap.ts'
import { slot, slotMapInput } from './samples.ts'

const map = slotMapOf(slotMapInput)

// The figures for 640 KiB, 2 GiB and 6 TiB, and the whole width of this guest, were worked out apart from this code.
test('a slot is 1 + log2(size / 4096) units wide, so that 4 KiB and 6 TiB fit one line', () => {
  const width = (size: number): number => {
    const input: SlotMapInput = {
      slots: [{ slot: { ...slot, gpa: 0, size, npages: size / 4096 }, shares: null }],
      marked: [],
    }
    return slotMapOf(input).units
  }
  assert.equal(width(4096), 1)
  assert.equal(width(640 * 1024), 8.32)
  assert.equal(width(2 ** 31), 20)
  assert.equal(width(6 * 2 ** 40), 31.58)
  assert.ok(Math.abs(map.units - 297.64) < 3, `${map.units} units`)
})

test('boxes and holes cover the line without gap or overlap', () => {
  const all = [...map.boxes, ...map.holes].toSorted((a, b) => a.from - b.from)
  assert.equal(all[0]?.from, 0)
  for (const [i, part] of all.entries()) assert.equal(part.to, all[i + 1]?.from ?? map.units)
})

test('a marked address lies in its slot, at its share of it', () => {
  const box = map.boxes[6]
  const part = (0x34de5840 - 0x100000) / (2 ** 31 - 2 ** 20)
  const expected = (box?.from ?? 0) + part * ((box?.to ?? 0) - (box?.from ?? 0))
  assert.ok(Math.abs((map.marks[0]?.at ?? 0) - expected) < 0.01)
})

test('a marked address in a hole, or above all memory, lies in the middle of a hole', () => {
  const marked = [0xa0000, 0xffffffffff000].map((gpa) => ({ gpa, label: 'here' }))
  const { marks, holes } = slotMapOf({ ...slotMapInput, marked })
  for (const { at } of marks) {
    assert.ok(
      holes.some(({ from, to }) => Math.abs((from + to) / 2 - at) < 0.02),
      `${at}`,
    )
  }
})

test('one poisoned page in two gigabytes is still seen, and its true share is told', () => {
  const piece = map.boxes[6]?.pieces.find(({ tone }) => tone === 'poisoned')
  assert.ok(piece)
  assert.ok(piece.top - piece.bottom >= 0.02)
  assert.equal(piece.share, '< 0.1 %')
})

test('the pieces of a slot stand on each other from 0 to 1, from good to bad', () => {
  for (const { pieces } of map.boxes) {
    assert.equal(pieces[0]?.bottom, 0)
    assert.equal(pieces.at(-1)?.top, 1)
    for (const [i, { top }] of pieces.slice(0, -1).entries())
      assert.equal(top, pieces[i + 1]?.bottom)
  }
})

test('labels that are seen at a zoom keep their distance', () => {
  for (const zoom of [0.25, 0.5, 1, 2, 4, 8, 16, 32]) {
    const seen = map.labels.filter((label) => label.zoom <= zoom)
    for (const [i, { at }] of seen.slice(1).entries()) {
      const pixels = ((at - (seen[i]?.at ?? 0)) * map.pixels * zoom) / map.units
      assert.ok(pixels >= 17, `${pixels} pixels at zoom ${zoom}`)
    }
  }
})

test('other address spaces and deleted slots are not drawn', () => {
  const extra = [
    { slot: { ...slot, addressSpace: 1, gpa: 0x1000 }, shares: null },
    { slot: { ...slot, gpa: 2 ** 50, invalid: true }, shares: null },
    { slot: { ...slot, gpa: 2 ** 50, npages: 0, size: 0 }, shares: null },
  ]
  const same = slotMapOf({ ...slotMapInput, slots: [...slotMapInput.slots, ...extra] })
  assert.deepEqual(same, map)
})

test('slots that were not counted are one neutral piece', () => {
  const slots = slotMapInput.slots.map(({ slot: one }) => ({ slot: one, shares: null }))
  const plain = slotMapOf({ slots, marked: [] })
  assert.deepEqual(plain.tones, ['not counted'])
  assert.ok(plain.boxes.every(({ pieces }) => pieces.length === 1))
})

test('32,764 slots, the most that KVM has, are drawn as runs; a marked one stands alone', () => {
  const slots = Array.from({ length: 32764 }, (_, id) => ({
    slot: { ...slot, id, gpa: id * 8192, size: 4096, npages: 1 },
    shares: null,
  }))
  const { boxes, title } = slotMapOf({ slots, marked: [{ gpa: 9999 * 8192, label: 'here' }] })
  assert.ok(boxes.length <= 98, `${boxes.length} boxes`)
  assert.ok(boxes.some(({ name }) => name === 'slot 9999'))
  assert.match(title, /32,764 slots/)
})

test('slots that overlap, as they never should, still give a picture', () => {
  const slots = [0, 0, 4096].map((gpa, id) => ({ slot: { ...slot, id, gpa }, shares: null }))
  const { boxes, units } = slotMapOf({ slots, marked: [] })
  assert.equal(boxes.length, 3)
  assert.equal(boxes.at(-1)?.to, units)
})

test('the text has the line in 64 glyphs with the mark, and every slot', () => {
  const lines = map.text.split('\n')
  assert.match(lines[2] ?? '', /^[GMks.X?d-]{64}$/)
  assert.match(lines[3] ?? '', /^ *\^ gpa 0x34de5840$/)
  for (const { gpa } of map.boxes) assert.ok(map.text.includes(gpa.replace('–', '-')), gpa)
  for (const line of lines) assert.match(line, /^[ -~]{0,80}$/)
})
