// SPDX-License-Identifier: GPL-2.0-or-later
// How many frames of a run the file has, against asking for each page.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { PAGE_SIZE } from '../../../core/dump/format.ts'
import { openPages } from '../../../core/dump/open.ts'
import { RecordingPages, savedOf } from '../../../core/dump/recording.ts'
import { Ranges } from '../../../core/dump/ranges.ts'
import { smallHost } from '../../build/smallhost.ts'
import { kernels, realDump } from '../../place.ts'

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  test(`of the dump of ${kernel} as many as have pages, in runs of any length`, { skip }, () => {
    const source = openPages([path])
    const recording = new RecordingPages(source)
    let all = 0
    for (let pfn = 0x100; pfn + 700 < source.endPfn; pfn += 20011) {
      for (const count of [1, 63, 700]) {
        let there = 0
        for (let i = 0; i < count; i++) if (source.page(pfn + i) instanceof Uint8Array) there++
        assert.equal(recording.saved(pfn, count), there, `${count} from ${pfn}`)
        all += there
      }
    }
    assert.ok(all > 300, `${all} pages`)
    assert.equal(recording.saved(source.endPfn, 512), 0)
    assert.deepEqual(recording.pfns, [])
    source.close()
  })
}

test('of an ELF dump, and where the source cannot tell by itself', () => {
  const temporary = mkdtempSync(join(tmpdir(), 'saved-'))
  const path = smallHost().save(join(temporary, 'vmcore'), 'elf')
  const source = openPages([path])
  for (let pfn = 0; pfn < source.endPfn; pfn += 333) {
    const asked = savedOf(
      { ...source, endPfn: source.endPfn, page: (at) => source.page(at) },
      pfn,
      40,
    )
    assert.equal(savedOf(source, pfn, 40), asked, pfn.toString())
  }
  source.close()
  rmSync(temporary, { recursive: true })
})

test('a page that is put together of several ranges counts, one with a gap does not', () => {
  const range = (start: number, end: number) => ({ start, end, offset: 0 })
  const ranges = new Ranges([
    range(0x1800, 0x3800),
    range(0x3800, 0x5000),
    range(0x5001, 0x7000),
    range(0x9000, 0xa000),
  ])
  const pieces = (page: number, count: number) => ranges.pieces(page * PAGE_SIZE, count, PAGE_SIZE)
  assert.equal(pieces(0, 16), 5)
  assert.equal(pieces(1, 1), 0)
  assert.equal(pieces(3, 1), 1)
  assert.equal(pieces(5, 1), 0)
  assert.equal(pieces(9, 9), 1)
  assert.equal(pieces(20, 9), 0)
})
