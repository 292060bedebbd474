// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/dump/split.ts: parts of a split dump, together and alone.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { disk_dump_header } from '../../../core/dump/kdump/diskdump.ts'
import { type Missing } from '../../../core/dump/format.ts'
import { openPages } from '../../../core/dump/open.ts'
import { UsageError } from '../../../core/errors.ts'
import { openDump } from '../../../core/hostdump.ts'
import { buildElf } from '../../build/elf.ts'
import { buildFlat, cutIntoRecords } from '../../build/flat.ts'
import { buildKdump, type KdumpDescription } from '../../build/kdump.ts'
import { patterned } from '../../build/pages.ts'

const folder = mkdtempSync(join(tmpdir(), 'split-test-'))
after(() => {
  rmSync(folder, { recursive: true })
})

const END = 300
const pages = patterned([0, 7, 8, 99, 100, 101, 250, 299])
const whole = buildKdump({ pages, endPfn: END })

/** One part: the headers and the bitmaps of the whole dump, the descriptors and pages of its own frames. */
function part(start: number, end: number, description: Partial<KdumpDescription> = {}): Uint8Array {
  const own = new Map([...pages].filter(([pfn]) => pfn >= start && pfn < end))
  const sub = { split: 1, start_pfn_64: BigInt(start), end_pfn_64: BigInt(end) }
  const built = buildKdump({ pages: own, endPfn: END, sub, codec: 'zlib', ...description })
  built.bytes.set(whole.bytes.subarray(2 * 4096, whole.descAt), 2 * 4096)
  return built.bytes
}

let count = 0
function file(bytes: Uint8Array): string {
  const path = join(folder, `part-${++count}`)
  writeFileSync(path, bytes)
  return path
}

const a = file(part(0, 100))
const b = file(part(100, 250))
const c = file(part(250, END))

describe('The parts of a split dump', () => {
  for (const [order, paths] of [
    ['in order', [a, b, c]],
    ['the other way round', [c, b, a]],
    ['with parts that have no frames', [c, file(part(0, 0)), a, file(part(END, END)), b]],
    ['one of them flattened', [a, file(buildFlat(cutIntoRecords(part(100, 250), 999))), c]],
  ] as const) {
    it(`give every page, ${order}`, () => {
      const source = openPages(paths)
      assert.equal(source.endPfn, END)
      for (const [pfn, page] of pages) assert.deepEqual(source.page(pfn), page)
      assert.equal((source.page(1) as Missing).why, 'hole')
      assert.match(source.facts.remarks.join(), new RegExp(`${paths.length} parts .*: all frames`))
      source.close()
    })
  }

  it('without one of them answer with its frames, and give the others', () => {
    const source = openPages([c, a])
    assert.match(source.facts.remarks.join(), /2 parts of a split dump: without .* 100 to 250/)
    const absent = [100, 101]
    for (const [pfn, page] of pages) {
      if (!absent.includes(pfn)) assert.deepEqual(source.page(pfn), page)
    }
    for (const pfn of absent) {
      const { why, detail } = source.page(pfn) as Missing
      assert.equal(why, 'lost')
      assert.match(
        detail,
        /^the page is in another part of this split dump \(frames 100 to 250\); .* 0 to 100, 250 to 300$/,
      )
    }
    source.close()
  })

  it('keep a page by its part: the same offset in another part is another page', () => {
    const source = openPages([a, b, c])
    for (const round of [1, 2]) {
      for (const [pfn, page] of pages) assert.deepEqual(source.page(pfn), page, `round ${round}`)
    }
    source.close()
  })

  it('of which one is incomplete, and says so in its header, are parts of one dump', () => {
    const source = openPages([a, file(part(100, 250, { stopsAfter: 1 })), c])
    assert.match(source.facts.remarks.join(), /incomplete/)
    assert.equal((source.page(101) as Missing).why, 'lost')
    assert.deepEqual(source.page(100), pages.get(100))
    source.close()
  })

  it('whose VMCOREINFO differ are told', () => {
    const [one, two] = ['A=1\n', 'A=2\n'].map((vmcoreinfo, i) =>
      file(part(150 * i, 150 * (i + 1), { vmcoreinfo })),
    )
    const source = openPages([two ?? '', one ?? ''])
    assert.match(source.facts.remarks.join(), /different VMCOREINFO/)
    assert.equal(source.vmcoreinfo, 'A=1\n')
    source.close()
  })

  it('are a dump with the names of all of them', () => {
    const dump = openDump([b, a])
    assert.equal(dump.path, b)
    assert.deepEqual(dump.paths, [b, a])
    dump.close()
  })

  const link = join(folder, 'link')
  symlinkSync(a, link)
  const { release } = disk_dump_header.offsets
  const otherHost = part(100, 250)
  otherHost[release] = 0x37
  const elf = buildElf({ segments: [{ paddr: 0, data: new Uint8Array(4096) }] })
  const refused: readonly [what: string, paths: readonly string[], message: RegExp][] = [
    [
      'the same file twice',
      [a, b, a],
      /the same part of a split dump is given twice: .*part-1, .*part-1$/,
    ],
    ['the same file under another name', [a, link], /given twice/],
    ['a copy of a part', [a, file(part(0, 100))], /part-1 has frames 0 to 100 and .*is one a copy/],
    ['parts that overlap', [a, file(part(99, 250))], /0 to 100 and .* 99 to 250/],
    [
      'a part of another dump',
      [a, file(otherHost)],
      /not parts of one dump: their headers differ in release$/,
    ],
    [
      'a part with other bitmaps',
      [a, file(part(100, 250, { endPfn: 600 }))],
      /differ in .*max_mapnr/,
    ],
    ['a whole dump among them', [a, file(whole.bytes)], /is a whole dump, no part of a split one/],
    ['an ELF file among them', [a, file(elf)], /is of format ELF: several files are .*split/],
    ['a text among them', [a, file(new Uint8Array(9))], /is no dump that is known here: several/],
    ['none of them', [], /no dump given/],
  ]
  for (const [what, paths, message] of refused) {
    it(`are refused with ${what}`, () => {
      assert.throws(
        () => openPages(paths),
        (error) => error instanceof UsageError && message.test(error.message),
      )
    })
  }

  it('cannot be something else than paths', () => {
    for (const wrong of [1, undefined, ['a', 1]]) {
      assert.throws(
        () => openDump(wrong as unknown as string),
        (error) => error instanceof UsageError && /openDump\('vmcore'\)/.test(error.message),
      )
    }
  })
})
