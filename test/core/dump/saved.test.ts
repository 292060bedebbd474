// SPDX-License-Identifier: GPL-2.0-or-later
// How many frames of a run the file has, against asking for each page.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { bytesAsFile } from '../../../core/dump/file.ts'
import { PAGE_SIZE } from '../../../core/dump/format.ts'
import { openPages } from '../../../core/dump/open.ts'
import { RecordingPages, savedOf } from '../../../core/dump/recording.ts'
import { Ranges } from '../../../core/dump/ranges.ts'
import { blockList, devices, mappedStream, pageOf, ramStart } from '../../build/qevm.ts'
import { sectionEnd, streamHead } from '../../build/qevm.ts'
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

/** 4 GiB with a hole below 4 GiB: 20 pages, zeros but for each ninth that is not there, at either side of it and of a chunk. */
function sentStream(): Buffer {
  const out = blockList(ramStart(streamHead('pc-q35-7.2')), [
    ['pc.bios', 0x2000],
    ['pc.ram', 2 ** 32],
  ])
  out.u64(8).name('pc.bios').bytes(pageOf(1))
  out.u64(0x1000_0008).name('pc.ram').bytes(pageOf(2))
  for (const around of [4096, 2 ** 19]) {
    for (let page = around - 10; page < around + 10; page++) {
      if (page % 9 !== 0) out.u64(page * PAGE_SIZE + 0x22).u8(0)
    }
  }
  sectionEnd(sectionEnd(out).u8(3).u32(2))
  return devices(out, []).done()
}

/** 16 KiB in two nodes, the first of which was sent whole. */
function twoNodes(): Buffer {
  const out = blockList(ramStart(streamHead('pc-q35-7.2')), [
    ['node1', 0x2000],
    ['node0', 0x2000],
  ])
  out.u64(0x2).name('node0').u8(0).u64(0x1022).u8(0)
  out.u64(0x1008).name('node1').bytes(pageOf(1))
  sectionEnd(sectionEnd(out).u8(3).u32(2))
  return devices(out, []).done()
}

const mapped = mappedStream()
const bitmapAt = mapped.indexOf('pc.ram') + 6 + 8 + 28
const pageTwo = mapped.lastIndexOf(pageOf(62))
const streams: readonly (readonly [what: string, bytes: Buffer, saved: number])[] = [
  ['with pages that were sent', sentStream(), 1 + 18 + 17],
  ['of two nodes', twoNodes(), 3],
  ['with mapped pages', mapped, 4],
  ['with mapped pages, cut behind a page of zeros', mapped.subarray(0, pageTwo + 4096), 4],
  ['with mapped pages, cut in the middle of one', mapped.subarray(0, pageTwo + 4095), 3],
  ['with mapped pages, cut before its bitmap', mapped.subarray(0, bitmapAt), 0],
]
for (const [what, bytes, wanted] of streams) {
  test(`of a migration stream ${what}, as many as have pages`, () => {
    const source = openPages(bytesAsFile('stream', bytes))
    const isThere = (pfn: number): boolean => source.page(pfn) instanceof Uint8Array
    const there = Array.from({ length: source.endPfn + 3 }, (_, pfn) => isThere(pfn))
    assert.equal(there.filter(Boolean).length, wanted)
    const runs: [pfn: number, count: number][] = [[0, there.length]]
    for (const near of [0, 4096, 2 ** 19, 2 ** 20, source.endPfn]) {
      for (let pfn = Math.max(0, near - 11); pfn < near + 11; pfn++) {
        for (const count of [1, 2, 17, 2 ** 19]) runs.push([pfn, count])
      }
    }
    const before = new Uint32Array(there.length + 1)
    for (const [pfn, is] of there.entries()) before[pfn + 1] = (before[pfn] ?? 0) + Number(is)
    const below = (pfn: number): number => before[Math.min(pfn, there.length)] ?? 0
    for (const [pfn, count] of runs) {
      const given = source.saved?.(pfn, count)
      assert.equal(given, below(pfn + count) - below(pfn), `${count} from ${pfn}`)
    }
    assert.deepEqual([source.saved?.(-1, 1), source.saved?.(0.5, 1)], [0, 0])
  })
}

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
