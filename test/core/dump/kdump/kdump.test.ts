// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/dump/kdump/kdump.ts: every header version and codec, and every reason for which a page is missing.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hex } from '../../../../core/bytes/hex.ts'
import { readStruct, writeStruct } from '../../../../core/bytes/struct.ts'
import { page_desc } from '../../../../core/dump/kdump/diskdump.ts'
import { bytesAsFile } from '../../../../core/dump/file.ts'
import { type Missing } from '../../../../core/dump/format.ts'
import { openPages } from '../../../../core/dump/open.ts'
import { FormatError, UnsupportedError } from '../../../../core/errors.ts'
import { buildKdump, type BuiltKdump, type KdumpDescription } from '../../../build/kdump.ts'
import { patterned } from '../../../build/pages.ts'

const pages = patterned([3, 4, 5, 17, 4095, 4096, 70_000], [5, 17])
const vmcoreinfo = 'OSRELEASE=6.12.0-test\nPAGESIZE=4096\n'
const prstatus = {
  name: 'CORE',
  type: 1,
  desc: Uint8Array.from({ length: 336 }, (_, i) => i & 0xff),
}

function open(description: KdumpDescription) {
  return openPages(bytesAsFile('vmcore', buildKdump(description).bytes))
}

function openBytes(bytes: Uint8Array) {
  return openPages(bytesAsFile('vmcore', bytes))
}

/** Opens a dump whose descriptor number `index` was changed. */
function openChanged(
  built: BuiltKdump,
  index: number,
  change: Partial<{ offset: bigint; size: number; flags: number }>,
) {
  const bytes = built.bytes.slice()
  const view = new DataView(bytes.buffer)
  const at = built.descAt + index * page_desc.size
  writeStruct(page_desc, view, at, { ...readStruct(page_desc, view, at), ...change })
  return openBytes(bytes)
}

for (const codec of ['none', 'zlib', 'lzo', 'snappy', 'zstd'] as const) {
  describe(`a kdump with codec ${codec}`, () => {
    for (let version = 0; version <= 6; version++) {
      it(`of header version ${version} gives the pages and says what it knows`, () => {
        const source = open({ version, codec, pages, vmcoreinfo, notes: [prstatus] })
        for (const [pfn, page] of pages) assert.deepEqual(source.page(pfn), page, hex(pfn))
        assert.equal(source.endPfn, 70_001)
        assert.equal(source.vmcoreinfo, version < 3 ? undefined : vmcoreinfo)
        const names = source.notes.map(({ name }) => name)
        assert.deepEqual(names, version < 4 ? [] : ['CORE', 'VMCOREINFO'])
        if (version >= 4) assert.deepEqual(source.notes[0], prstatus)
        assert.deepEqual(source.facts, {
          format: 'kdump-compressed',
          version,
          codecs: codec === 'none' ? [] : [codec],
          ...(version >= 1 ? { dumpLevel: 31 } : {}),
          sysname: 'Linux',
          nodename: 'host1',
          release: '6.12.0-test',
          build: '#1 SMP test',
          machine: 'x86_64',
          domainname: '(none)',
          timestamp: 1_700_000_000,
          cpus: 2,
          physBase: 0x1000000n,
          remarks: [],
        })
      })
    }
  })
}

describe('a page of a kdump', () => {
  const memory = [[0, 20]] as const

  it('is a hole where the host has no memory', () => {
    const source = open({ pages, memory })
    assert.deepEqual(source.page(20), { why: 'hole', detail: 'the host has no memory there' })
    assert.equal(source.exists?.(20), false)
  })

  for (const pfn of [70_001, 2 ** 40, -1, 1.5, NaN, Infinity]) {
    it(`is a hole at frame ${pfn}, which is none`, () => {
      const source = open({ pages, memory })
      assert.equal((source.page(pfn) as Missing).why, 'hole')
      assert.equal(source.exists?.(pfn), false)
    })
  }

  const levels: readonly [level: number, words: string][] = [
    [0, 'nothing'],
    [1, 'pages of zeros'],
    [8, 'user pages'],
    [23, 'pages of zeros, page cache, private page cache and free pages'],
    [31, 'pages of zeros, page cache, private page cache, user pages and free pages'],
  ]
  for (const [dumpLevel, words] of levels) {
    it(`is excluded, and says what dump level ${dumpLevel} leaves out`, () => {
      const source = open({ pages, memory, dumpLevel })
      const detail = `makedumpfile did not save the page (dump level ${dumpLevel} leaves out ${words})`
      assert.deepEqual(source.page(6), { why: 'excluded', detail })
      assert.equal(source.exists?.(6), true)
    })
  }

  it('is excluded without a word on levels where the header is too old to tell one', () => {
    const source = open({ version: 0, pages, memory })
    assert.deepEqual(source.page(6), {
      why: 'excluded',
      detail: 'makedumpfile did not save the page',
    })
  })

  it('is lost when makedumpfile stopped before it', () => {
    const source = open({ pages, stopsAfter: 2 })
    assert.deepEqual(source.page(3), pages.get(3))
    assert.deepEqual(source.page(4), pages.get(4))
    const missing = source.page(5) as Missing
    assert.equal(missing.why, 'lost')
    assert.match(missing.detail, /never written.*marked as incomplete/)
    assert.match(source.facts.remarks.join(), /incomplete/)
  })

  it('is lost when its descriptor was never written, though nothing says that the dump is incomplete', () => {
    const missing = openChanged(buildKdump({ pages }), 0, { offset: 0n, size: 0 }).page(
      3,
    ) as Missing
    assert.equal(missing.why, 'lost')
    assert.doesNotMatch(missing.detail, /incomplete/)
  })

  it('is lost when the file ends before its data, and its neighbours are there', () => {
    const built = buildKdump({ pages })
    const end = built.bytes.length - 1
    const source = openBytes(built.bytes.subarray(0, end))
    const missing = source.page(70_000) as Missing
    assert.equal(missing.why, 'lost')
    assert.match(missing.detail, new RegExp(`the file ends at ${end}, the page's data are at `))
    assert.deepEqual(source.page(4096), pages.get(4096))
  })

  it('is lost when the file ends before its descriptor', () => {
    const built = buildKdump({ pages })
    const end = built.descAt + page_desc.size + 5
    const source = openBytes(built.bytes.subarray(0, end))
    const missing = source.page(4) as Missing
    assert.equal(missing.why, 'lost')
    assert.match(
      missing.detail,
      new RegExp(`the file ends at ${end}, the page's descriptor should`),
    )
  })

  it('is corrupt when its data do not decode, and the reason tells where they are', () => {
    const built = buildKdump({ pages, codec: 'zlib' })
    const bytes = built.bytes.slice()
    bytes[built.dataAt] = 0
    const missing = openBytes(bytes).page(3) as Missing
    assert.equal(missing.why, 'corrupt')
    assert.match(
      missing.detail,
      new RegExp(`bytes of data at ${built.dataAt} do not decode: zlib: `),
    )
  })

  const broken: readonly [name: string, change: object, detail: RegExp][] = [
    ['has no size', { size: 0 }, /0 bytes at \d+, which cannot be/],
    ['is bigger than a page', { size: 4097 }, /4097 bytes at \d+, which cannot be/],
    ['lies at a negative offset', { offset: -4096n }, /at -4096, which cannot be/],
    ['is raw, but smaller than a page', { size: 4095 }, /4095 bytes without compression/],
    [
      'has a codec that does not exist',
      { flags: 0x40 },
      /flags 0x40 .* hold 0x40, which is no codec/,
    ],
    ['has the top bit', { flags: 0x80000001 }, /flags 0x80000001 .* hold 0x80000000, which is no/],
    ['has two codecs', { flags: 0x21 }, /flags 0x21 .* name zlib and zstd, but a page has one/],
    [
      'has all codecs',
      { flags: 0x27 },
      /name zlib and lzo and snappy and zstd, but a page has one/,
    ],
    ['is no LZO block', { flags: 0x2 }, /do not decode: lzo: /],
    ['is no Snappy block', { flags: 0x4 }, /do not decode: snappy: /],
  ]
  for (const [name, change, detail] of broken) {
    it(`is corrupt when it ${name}`, () => {
      const missing = openChanged(buildKdump({ pages }), 0, change).page(3) as Missing
      assert.equal(missing.why, 'corrupt')
      assert.match(missing.detail, detail)
    })
  }

  it('is lost when it lies far behind the end', () => {
    const missing = openChanged(buildKdump({ pages }), 0, { offset: 2n ** 62n }).page(3) as Missing
    assert.equal(missing.why, 'lost')
  })

  it('stays what it was, however many are read after it', () => {
    const many = patterned(Array.from({ length: 300 }, (_, i) => i))
    const source = open({ pages: many, codec: 'zlib' })
    const first = source.page(0)
    for (let pfn = 1; pfn < 300; pfn++) source.page(pfn)
    assert.deepEqual(first, many.get(0))
  })

  it('of zeros is one and the same array', () => {
    const source = open({ pages, codec: 'zlib' })
    assert.equal(source.page(5), source.page(17))
  })
})

describe('a kdump', () => {
  it('with one bitmap takes it for both questions', () => {
    const source = open({ pages: patterned([3, 4, 20_000]), oneBitmap: true, version: 1 })
    assert.deepEqual(source.page(20_000), patterned([20_000]).get(20_000))
    assert.equal((source.page(5) as Missing).why, 'hole')
  })

  it('with a page that the bitmap of memory lacks gives the page, and says so once', () => {
    const built = buildKdump({ pages })
    const bytes = built.bytes.slice()
    // The bitmap of memory begins at the third block.
    bytes.fill(0, 2 * 4096, 2 * 4096 + 8)
    const source = openBytes(bytes)
    assert.equal(source.facts.remarks.length, 0)
    for (const [pfn, page] of pages) {
      assert.deepEqual(source.page(pfn), page)
      assert.equal(source.exists?.(pfn), true)
    }
    const odd = source.facts.remarks.filter((remark) => remark.includes('bitmap of memory lacks'))
    assert.equal(odd.length, 1)
  })

  it('that is one part of a split dump serves its part and names the rest', () => {
    const part = new Map([...pages].filter(([pfn]) => pfn >= 5 && pfn < 4096))
    const whole = buildKdump({ pages })
    const built = buildKdump({
      pages: part,
      endPfn: 70_001,
      sub: { split: 1, start_pfn_64: 5n, end_pfn_64: 4096n },
    })
    // Every part has the bitmaps of the whole dump.
    const bytes = built.bytes.slice()
    bytes.set(whole.bytes.subarray(2 * 4096, whole.descAt), 2 * 4096)
    const source = openBytes(bytes)
    for (const [pfn, page] of part) assert.deepEqual(source.page(pfn), page)
    const missing = source.page(4) as Missing
    assert.equal(missing.why, 'lost')
    assert.match(missing.detail, /another part.*frames 5 to 4096/)
    assert.match(source.facts.remarks.join(), /one part of a split dump/)
  })

  it('whose max_mapnr is above the bitmaps is read as far as they go, with a remark', () => {
    const source = open({ pages, sub: { max_mapnr_64: 2n ** 50n } })
    assert.deepEqual(source.page(70_000), pages.get(70_000))
    assert.match(source.facts.remarks.join(), /max_mapnr is 1125899906842624, but the bitmaps end/)
    assert.ok(source.endPfn < 200_000)
  })

  it('whose notes are broken gives its pages, with a remark', () => {
    const source = open({ pages, vmcoreinfo, sub: { offset_note: 2n ** 40n } })
    assert.deepEqual(source.page(3), pages.get(3))
    assert.equal(source.vmcoreinfo, vmcoreinfo)
    assert.match(source.facts.remarks.join(), /notes should be \d+ bytes at 1099511627776/)
  })

  it('whose pointer to VMCOREINFO is broken has the text from the note', () => {
    const source = open({ pages, vmcoreinfo, sub: { offset_vmcoreinfo: -5n } })
    assert.equal(source.vmcoreinfo, vmcoreinfo)
  })

  it('without VMCOREINFO says so', () => {
    assert.equal(open({ pages }).vmcoreinfo, undefined)
  })

  it('shows texts of the header without control characters', () => {
    const source = open({ pages, header: { nodename: 'a\u001b[31mb' } })
    assert.equal(source.facts.nodename, 'a\\x1b[31mb')
  })
})

const refused: readonly [name: string, description: Partial<KdumpDescription>, message: RegExp][] =
  [
    [
      'machine i686',
      { narrow: true, header: { machine: 'i686' } },
      /32-bit kdump-compressed \(machine 'i686'\)/,
    ],
    [
      'machine s390x',
      { bigEndian: true, header: { machine: 's390x' } },
      /big-endian kdump-compressed \(machine 's390x'\)/,
    ],
    [
      'machine aarch64',
      { header: { machine: 'aarch64' } },
      /64-bit kdump-compressed \(machine 'aarch64'\)/,
    ],
    ['header version 7', { header: { header_version: 7 } }, /header version 7 of kdump-compressed/],
  ]
describe('a kdump that is sound but not supported', () => {
  for (const [name, description, message] of refused) {
    it(`is refused by name: ${name}`, () => {
      assert.throws(
        () => open({ pages, ...description }),
        (error) => error instanceof UnsupportedError && message.test(error.message),
      )
    })
  }

  it('is refused by name: old diskdump', () => {
    const { bytes } = buildKdump({ pages, header: { signature: 'DISKDUMP' } })
    assert.throws(
      () => openBytes(bytes),
      (error) => error instanceof UnsupportedError && /diskdump/.test(error.message),
    )
  })
})

const impossible: readonly [
  name: string,
  description: Partial<KdumpDescription>,
  field: string,
  message: RegExp,
][] = [
  ['a block size of 0', { header: { block_size: 0 } }, 'block_size', /is 0, which is no page size/],
  ['a block size of 5000', { header: { block_size: 5000 } }, 'block_size', /5000/],
  ['a negative sub header', { header: { sub_hdr_size: -1 } }, 'sub_hdr_size', /is -1/],
  [
    'bitmaps bigger than the file',
    { header: { bitmap_blocks: 0xffffffff } },
    'bitmap_blocks',
    /the file ends at/,
  ],
  [
    'bitmaps smaller than max_mapnr',
    { header: { max_mapnr: 0xffffffff } },
    'max_mapnr',
    /is 4294967295/,
  ],
]
describe('a kdump whose header cannot be', () => {
  for (const [name, description, field, message] of impossible) {
    it(`is refused with the field: ${name}`, () => {
      assert.throws(
        () => open({ pages, ...description }),
        (error) =>
          error instanceof FormatError &&
          error.field === `disk_dump_header.${field}` &&
          message.test(error.message),
      )
    })
  }

  it('is refused when it ends in its bitmaps, and says that it may have been cut', () => {
    const { bytes, descAt } = buildKdump({ pages })
    assert.throws(
      () => openBytes(bytes.subarray(0, descAt - 1)),
      (error) => error instanceof FormatError && /was it copied to the end/.test(error.message),
    )
  })

  it('is refused when a part of a split dump has its frames the wrong way round', () => {
    assert.throws(
      () => open({ pages, sub: { split: 1, start_pfn_64: 9n, end_pfn_64: 5n } }),
      (error) => error instanceof FormatError && /frames 9 to 5/.test(error.message),
    )
  })
})
