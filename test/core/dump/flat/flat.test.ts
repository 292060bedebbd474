// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/dump/flat/flat.ts and core/dump/flat/flatindex.ts.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { bytesAsFile, type FileBytes } from '../../../../core/dump/file.ts'
import { FLAT_HEADER_BYTES, FLAT_RECORD_BYTES, FlatFile } from '../../../../core/dump/flat/flat.ts'
import { FlatIndex } from '../../../../core/dump/flat/flatindex.ts'
import { openPages } from '../../../../core/dump/open.ts'
import { FormatError, UnsupportedError } from '../../../../core/errors.ts'
import { buildElf } from '../../../build/elf.ts'
import { buildFlat, cutIntoRecords, type FlatPart } from '../../../build/flat.ts'
import { buildKdump } from '../../../build/kdump.ts'
import { patterned } from '../../../build/pages.ts'

const open = (bytes: Uint8Array) => new FlatFile(bytesAsFile('flat', bytes))
const all = (file: FileBytes) => [...file.read(0, file.size, 'all')]

/** What makedumpfile -R would write: each record to its place, one after the other. */
function rearranged(records: readonly FlatPart[]): number[] {
  const size = Math.max(0, ...records.map(([target, bytes]) => target + bytes.length))
  const target = new Uint8Array(size)
  for (const [at, bytes] of records) target.set(bytes, at)
  return [...target]
}

const record = fc.tuple(fc.nat(300), fc.uint8Array({ minLength: 1, maxLength: 60 }))
const records = fc.array(record, { minLength: 1, maxLength: 300 })

describe('FlatFile', () => {
  it('reads as the rearranged file, whatever the records overlap or leave out', () => {
    fc.assert(
      fc.property(records, fc.nat(400), fc.nat(400), (given, from, length) => {
        const file = open(buildFlat(given))
        const wanted = rearranged(given)
        assert.equal(file.size, wanted.length)
        assert.deepEqual(file.remarks, [])
        assert.deepEqual(all(file), wanted)
        const start = Math.min(from, file.size)
        const count = Math.min(length, file.size - start)
        const part = file.read(start, count, 'a part')
        assert.deepEqual([...part], wanted.slice(start, start + count))
      }),
      { numRuns: 300 },
    )
  })

  it('follows two streams that are written by turns, for longer than its marks reach', () => {
    const given = Array.from({ length: 2000 }, (_, i): FlatPart => {
      const bytes = Uint8Array.of(i, i >> 8, 7)
      // The second stream pauses for longer than two marks of the first.
      return i % 2 === 0 || i % 1000 < 600 ? [3 * i, bytes] : [100_000 + 3 * i, bytes]
    })
    const file = open(buildFlat(given))
    assert.deepEqual(all(file), rearranged(given))
  })

  it('is used up to its last whole record, wherever it is cut, and says so', () => {
    const given: FlatPart[] = [
      [0, Uint8Array.of(1, 2, 3)],
      [10, Uint8Array.of(4, 5)],
      [3, Uint8Array.of(6)],
    ]
    const bytes = buildFlat(given)
    const ends = [3, 5, 6].map((data, i) => FLAT_HEADER_BYTES + FLAT_RECORD_BYTES * (i + 1) + data)
    for (let cut = ends[0] ?? 0; cut < bytes.length; cut++) {
      const file = open(bytes.subarray(0, cut))
      const whole = ends.filter((end) => end <= cut).length
      assert.deepEqual(all(file), rearranged(given.slice(0, whole)), `cut at ${cut}`)
      assert.match(file.remarks[0] ?? '', /^the flattened file is cut off: .* no end mark/)
    }
    const early = bytes.subarray(0, (ends[0] ?? 0) - 1)
    assert.throws(() => open(early), /ends at \d+, before its first record does/)
  })

  it('does not read behind its target', () => {
    const file = open(buildFlat([[0, Uint8Array.of(1, 2)]]))
    const message = 'flat (flattened): page data lies at 1…3, but the file ends at 2'
    assert.throws(() => file.read(1, 2, 'page data'), new FormatError(message, 'page data', 1))
  })

  const one: FlatPart[] = [[0, Uint8Array.of(1)]]
  const big = (target: bigint, size: bigint) => {
    const bytes = Buffer.from(buildFlat(one))
    bytes.writeBigInt64BE(target, FLAT_HEADER_BYTES)
    bytes.writeBigInt64BE(size, FLAT_HEADER_BYTES + 8)
    return bytes
  }
  const broken: readonly [name: string, bytes: Uint8Array, message: RegExp][] = [
    ['a record before the target', big(-2n, 1n), /record at 4096 says 1 bytes at -2/],
    ['a record of nothing', big(0n, 0n), /says 0 bytes at 0/],
    ['a record of less than nothing', big(0n, -1n), /says -1 bytes at 0/],
    ['a record behind 2^53', big(2n ** 62n, 1n), /says 1 bytes at 46116860184273/],
    ['a header that is cut off', buildFlat(one).subarray(0, 100), /ends at 100, in its header/],
  ]
  for (const [name, bytes, message] of broken) {
    it(`is refused with ${name}`, () => {
      assert.throws(
        () => open(bytes),
        (error) => error instanceof FormatError && message.test(error.message),
      )
    })
  }

  it('is refused in another version', () => {
    for (const options of [{ type: 2n }, { version: 2n }]) {
      assert.throws(() => open(buildFlat(one, options)), UnsupportedError)
    }
  })
})

describe('FlatIndex', () => {
  it('keeps one place for 64 records, however the streams are mixed', () => {
    const index = new FlatIndex()
    const count = 100_000
    let [low, high] = [0, 2 ** 40]
    for (let i = 0; i < count; i++) {
      if (i % 3 === 0) index.add(i, (low += 24) - 24, 24)
      else index.add(i, (high += 1000) - 1000, 1000)
    }
    index.seal()
    const marks = [...index.stretches(0, index.size)].length
    assert.ok(marks <= count / 64 + 4, `${marks} marks`)
    assert.equal(index.records, count)
  })

  it('refuses records that go to more places than any writer has', () => {
    const index = new FlatIndex()
    assert.throws(() => {
      for (let i = 0; ; i++) index.add(i, 2 * i, 1)
    }, /go to more than 1048576 places; .*makedumpfile -R/)
  })
})

describe('A flattened dump', () => {
  const pages = patterned([1, 2, 40])
  const kdump = buildKdump({ pages, codec: 'zlib' }).bytes
  const elf = buildElf({
    segments: [...pages].map(([pfn, data]) => ({ paddr: pfn * 4096, data })),
  })
  for (const [format, bytes] of [
    ['kdump-compressed', kdump],
    ['ELF', elf],
  ] as const) {
    it(`of ${format} inside has its pages, and tells when it is cut`, () => {
      const flat = buildFlat(cutIntoRecords(bytes, 1000))
      const source = openPages(bytesAsFile('flat', flat))
      assert.equal(source.facts.format, format)
      for (const [pfn, page] of pages) assert.deepEqual(source.page(pfn), page)
      const cut = openPages(bytesAsFile('flat', flat.subarray(0, flat.length - 1)))
      assert.match(cut.facts.remarks.join(), /the flattened file is cut off/)
    })
  }

  it('in a flattened file is refused', () => {
    const twice = buildFlat(cutIntoRecords(buildFlat(cutIntoRecords(kdump, 1000)), 1000))
    assert.throws(
      () => openPages(bytesAsFile('flat', twice)),
      new UnsupportedError(
        'flat is a flattened file in a flattened file, which is not supported',
        'a flattened file in a flattened file',
      ),
    )
  })

  it('says what is inside when that is no dump', () => {
    const flat = buildFlat([[0, new TextEncoder().encode('a text')]])
    assert.throws(() => openPages(bytesAsFile('flat', flat)), /it is a text, 'a text';/)
  })
})
