// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/dump/lime/lime.ts: LiME and AVML files, whole, cut, damaged and hostile.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { bytesAsFile } from '../../../../core/dump/file.ts'
import { type Missing } from '../../../../core/dump/format.ts'
import { openPages } from '../../../../core/dump/open.ts'
import { DumpError, FormatError } from '../../../../core/errors.ts'
import { buildLime, type LimeBlock } from '../../../build/lime.ts'
import { patterned } from '../../../build/pages.ts'

const PAGE = 4096
const pfns = Array.from({ length: 40 }, (_, i) => i)
const pages = patterned(pfns, [3, 4])
const memory = (from: number, to: number) =>
  Uint8Array.from(
    Buffer.concat(pfns.slice(from, to).map((pfn) => pages.get(pfn) ?? new Uint8Array())),
  )

const open = (bytes: Uint8Array) => openPages(bytesAsFile('vmcore', bytes))
const missing = (bytes: Uint8Array, pfn: number) => open(bytes).page(pfn) as Missing

/** Pages 1 to 19 and 24 to 39 in three ranges, two of which meet inside page 10. */
function blocks(packed: boolean): LimeBlock[] {
  const low = memory(1, 20)
  const cut = 9 * PAGE + 0x3ff
  return [
    { start: PAGE, data: low.subarray(0, cut), packed },
    { start: PAGE + cut, data: low.subarray(cut), packed },
    { start: 24 * PAGE, data: memory(24, 40), packed },
  ]
}

const kinds: readonly [format: string, blocks: LimeBlock[], gap: RegExp][] = [
  [
    'LiME',
    blocks(false),
    /^no range has it: the host has no memory there, or only zeros, which avml/,
  ],
  [
    'AVML',
    blocks(true),
    /^no range has it: the host has no memory there, or only zeros, which avml/,
  ],
  ['AVML', blocks(true).map((one) => ({ ...one, chunkBytes: 5000 })), /or only zeros/],
  ['LiME', blocks(false).map((one, i) => ({ ...one, packed: i === 1 })), /or only zeros/],
  ['AVML', blocks(false).map((one, i) => ({ ...one, packed: i === 0 })), /or only zeros/],
]

for (const [index, [format, parts, gap]] of kinds.entries()) {
  describe(`${format}, file ${index}`, () => {
    const bytes = buildLime(parts)

    it('gives every page of its ranges, also one that two ranges have a part of', () => {
      const source = open(bytes)
      assert.equal(source.facts.format, format)
      assert.equal(source.endPfn, 40)
      for (const pfn of pfns) {
        if (pfn >= 1 && (pfn < 20 || pfn >= 24)) assert.deepEqual(source.page(pfn), pages.get(pfn))
        else {
          const { why, detail } = source.page(pfn) as Missing
          assert.equal(why, 'hole')
          assert.match(detail, gap)
        }
        assert.equal(source.exists?.(pfn), pfn >= 1 && (pfn < 20 || pfn >= 24))
      }
      assert.deepEqual([source.notes, source.vmcoreinfo], [[], undefined])
      assert.match(source.facts.remarks.join(), /taken from running hosts/)
    })

    it('does not give a page that is there in part, and says how much is', () => {
      const last = parts.at(-1)
      assert.ok(last)
      const source = open(buildLime([{ ...last, data: last.data.subarray(0, 5000) }]))
      assert.deepEqual(source.page(24), pages.get(24))
      const { why, detail } = source.page(25) as Missing
      assert.equal(why, 'hole')
      assert.match(detail, /^only 904 of the page's 4096 bytes are in the file: no range has/)
    })

    it('ends soon in pages, reasons or a DumpError, whatever is cut or changed', () => {
      const change = fc.tuple(fc.oneof(fc.nat(60), fc.nat()), fc.nat(255))
      fc.assert(
        fc.property(fc.array(change, { maxLength: 3 }), fc.nat(), (changes, cut) => {
          const damaged = bytes.slice(0, cut % 2 === 0 ? bytes.length : cut % bytes.length)
          for (const [at, byte] of changes)
            if (damaged.length > 0) damaged[at % damaged.length] = byte
          const start = performance.now()
          try {
            const source = open(damaged)
            for (const pfn of pfns) source.page(pfn)
          } catch (error) {
            assert.ok(error instanceof DumpError, String(error))
          }
          assert.ok(performance.now() - start < 1000)
        }),
        { numRuns: 300 },
      )
    })
  })
}

describe('a LiME file', () => {
  const bytes = buildLime(blocks(false))

  it('that is cut gives the pages before, and says where those behind should be', () => {
    const cut = bytes.subarray(0, bytes.length - PAGE - 10)
    const source = open(cut)
    assert.deepEqual(source.page(37), pages.get(37))
    const { why, detail } = source.page(38) as Missing
    assert.equal(why, 'lost')
    assert.match(detail, /^only 4086 of .*: the file ends at \d+, before the page's data at \d+$/)
    assert.equal(missing(cut, 39).why, 'lost')
  })

  it('whose second header is not one says so for every page that it does not have', () => {
    const damaged = bytes.slice()
    damaged[32 + 9 * PAGE + 0x3ff] = 0
    const source = open(damaged)
    assert.deepEqual(source.page(9), pages.get(9))
    const { why, detail } = source.page(30) as Missing
    assert.equal(why, 'lost')
    assert.match(
      detail,
      /no range that was found has it: .*lime_header\.magic at 37919 is 0x4c694d00/,
    )
    assert.match(source.facts.remarks.join(), /not all of its ranges were found/)
  })

  it('with ranges that overlap takes the one that starts first, and tells it', () => {
    const source = open(
      buildLime([
        { start: 2 * PAGE, data: memory(30, 32) },
        { start: PAGE, data: memory(1, 3) },
      ]),
    )
    assert.deepEqual(source.page(2), pages.get(2))
    assert.deepEqual(source.page(3), pages.get(31))
    assert.match(source.facts.remarks.join(), /overlap/)
  })

  const refused: readonly [name: string, at: number, bytes: number[], message: RegExp][] = [
    ['another version', 4, [2], /lime_header\.version at 0 is 2; wanted 1/],
    ['an end before its start', 16, [0, 0], /lime_header\.e_addr at 0 is 0x0, the range begins at/],
    ['an end above all addresses', 23, [0x10], /lime_header\.e_addr at 0 is 0x10/],
    ['an end at 2^64 - 1', 16, Array<number>(8).fill(255), /e_addr at 0 is 0xffffffffffffffff/],
  ]
  for (const [name, at, change, message] of refused) {
    it(`is refused with ${name} in its first header`, () => {
      const damaged = buildLime([{ start: 0x100, data: memory(1, 2) }])
      damaged.set(change, at)
      if (at === 16) damaged.fill(change[0] ?? 0, 16, 24)
      assert.throws(
        () => open(damaged),
        (error) => error instanceof FormatError && message.test(error.message),
      )
    })
  }
})

describe('an AVML file', () => {
  it('is read as avml writes it: this block is from its Snappy encoder', () => {
    const header = '41564d4c020000000010000000000000' + '63100000000000000000000000000000'
    const stream = 'ff060000734e61507059' + '000d000037cbbc9d640041fe01008a0100'
    const block = Uint8Array.from(Buffer.from(`${header}${stream}1b00000000000000`, 'hex'))
    const { why, detail } = missing(block, 1)
    assert.equal(why, 'hole')
    assert.match(detail, /^only 100 of the page's 4096 bytes are in the file/)
  })

  // A header, the stream's start, a chunk to skip, then the chunks.
  const first = 32 + 10 + 7
  const one = buildLime([{ start: PAGE, data: memory(1, 33), packed: true }])
  const second = first + 4 + ((one[first + 1] ?? 0) | ((one[first + 2] ?? 0) << 8))
  const changed = (at: number, byte: number) => {
    const bytes = one.slice()
    bytes[at] = byte
    return bytes
  }
  const corrupt: readonly [name: string, bytes: Uint8Array, detail: RegExp][] = [
    [
      'another checksum',
      changed(first + 4, (one[first + 4] ?? 0) ^ 1),
      /chunk at 49 has the checksum 0x\w{8}, but says 0x/,
    ],
    ['data that do not decode', changed(first + 11, 0xff), /chunk at 49 does not decode: snappy: /],
    ['a length above 64 KiB', changed(first + 10, 0x7f), /chunk at 49 holds \d+ bytes; 65536 are/],
    ['a type that is not known', changed(first, 0x42), /chunk at 49 has the type 0x42/],
    [
      'a size that cannot be',
      changed(first + 3, 0x7f),
      /chunk at 49 has \d+ bytes, which cannot be/,
    ],
    ['a stream of another name', changed(36, 0x41), /chunk at 32 begins no stream of the name/],
  ]
  for (const [name, bytes, detail] of corrupt) {
    it(`has corrupt pages where a chunk has ${name}`, () => {
      const page = missing(bytes, 5)
      assert.equal(page.why, 'corrupt')
      assert.match(page.detail, detail)
    })
  }

  it('has the pages of its other chunks when one is corrupt', () => {
    const source = open(changed(second + 4, (one[second + 4] ?? 0) ^ 1))
    for (let pfn = 1; pfn < 17; pfn++) assert.deepEqual(source.page(pfn), pages.get(pfn))
    for (let pfn = 17; pfn < 33; pfn++) assert.equal((source.page(pfn) as Missing).why, 'corrupt')
  })

  it('that is cut gives the chunks before, and tells why the others are lost', () => {
    const source = open(one.subarray(0, second + 500))
    for (let pfn = 1; pfn < 17; pfn++) assert.deepEqual(source.page(pfn), pages.get(pfn))
    const { why, detail } = source.page(17) as Missing
    assert.equal(why, 'lost')
    assert.match(detail, new RegExp(`a Snappy chunk lies at ${second}…\\d+, but the file ends at`))
    assert.equal((source.page(35) as Missing).why, 'lost')
    assert.match(source.facts.remarks.join(), /not all of its ranges were found/)
  })

  it('of empty chunks is given up soon', () => {
    const stream = Buffer.concat(Array.from({ length: 50_000 }, () => Buffer.from([0xfe, 0, 0, 0])))
    const bytes = Buffer.concat([one.subarray(0, 42), stream])
    const page = missing(Uint8Array.from(bytes), 1)
    assert.equal(page.why, 'corrupt')
    assert.match(page.detail, /is number 1537 of 131072 bytes/)
  })
})
