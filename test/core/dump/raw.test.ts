// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/dump/raw.ts: memory without a header, where the caller says that it is.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { bytesAsFile } from '../../../core/dump/file.ts'
import { type Missing } from '../../../core/dump/format.ts'
import { openPages } from '../../../core/dump/open.ts'
import { type RawOptions } from '../../../core/dump/raw.ts'
import { UsageError } from '../../../core/errors.ts'
import { openDump } from '../../../core/index.ts'
import { buildKdump } from '../../build/kdump.ts'
import { patterned } from '../../build/pages.ts'

const PAGE = 4096
const pages = patterned([0, 1, 2, 3])
const bytes = Uint8Array.from(Buffer.concat([...pages.values()]))
const open = (options: RawOptions) => openPages(bytesAsFile('ram', bytes), options)

const folder = mkdtempSync(join(tmpdir(), 'raw-test-'))
after(() => {
  rmSync(folder, { recursive: true })
})

describe('raw memory', () => {
  for (const base of [0x100000, 0x100000n, '0x100000']) {
    it(`lies from its base, given as a ${typeof base}`, () => {
      const source = open({ format: 'raw', base })
      for (const [pfn, page] of pages) assert.deepEqual(source.page(256 + pfn), page)
      for (const pfn of [0, 255, 260]) {
        const hole = { why: 'hole', detail: 'no range that was given has it' }
        assert.deepEqual(source.page(pfn), hole)
      }
      assert.equal(source.facts.format, 'raw')
      assert.match(source.facts.remarks.join(), /where it belongs was given/)
    })
  }

  it('lies in ranges that were given, as behind the hole for PCI devices', () => {
    const source = open({
      format: 'raw',
      ranges: [
        { offset: 0, start: 0, length: 3 * PAGE },
        { offset: 3 * PAGE, start: '0x100000000', length: BigInt(PAGE) },
      ],
    })
    assert.deepEqual(source.page(2), pages.get(2))
    assert.equal((source.page(3) as Missing).why, 'hole')
    assert.deepEqual(source.page(0x100000), pages.get(3))
  })

  it('is opened by openDump, which gives its bytes by physical address', () => {
    const path = join(folder, 'ram')
    writeFileSync(path, bytes)
    const dump = openDump(path, { format: 'raw', base: '0x1000' })
    assert.deepEqual(dump.readPhysical(0x2ffe, 4), bytes.slice(0x1ffe, 0x2002))
    dump.close()
  })

  it('that is cut is lost behind the end of the file, and says so', () => {
    const source = open({ format: 'raw', ranges: [{ offset: 0, start: 0, length: 5 * PAGE + 1 }] })
    assert.deepEqual(source.page(3), pages.get(3))
    assert.deepEqual(source.page(4), {
      why: 'lost',
      detail: "the file ends at 16384, before the page's data at 16384",
    })
    assert.match(source.facts.remarks.join(), /the file is cut off: it ends at 16384/)
  })

  it('that begins like a dump is opened as it was asked for, with a remark', () => {
    const kdump = buildKdump({ pages }).bytes
    const source = openPages(bytesAsFile('vmcore', kdump), { format: 'raw', base: 0 })
    assert.deepEqual(source.page(0), kdump.slice(0, PAGE))
    assert.match(source.facts.remarks.join(), /begins like a dump of the format kdump-compressed/)
  })

  const range = { offset: 0, start: 0, length: PAGE }
  const refused: readonly [name: string, options: object, message: RegExp][] = [
    [
      'a base without the format',
      { base: 0 },
      /^base and ranges are for raw memory only: add format/,
    ],
    ['ranges without the format', { ranges: [range] }, /add format: 'raw'/],
    ['neither base nor ranges', { format: 'raw' }, /needs the physical address of its first byte/],
    ['both', { format: 'raw', base: 0, ranges: [range] }, /its first byte, or ranges/],
    ['another format', { format: 'elf', base: 0 }, /'elf' cannot be asked for: formats are recog/],
    [
      'a base that is none',
      { format: 'raw', base: 'here' },
      /base: start is 'here'; wanted a number/,
    ],
    ['a base too high', { format: 'raw', base: 2n ** 60n }, /start is '1152921504606846976'/],
    ['an end too high', { format: 'raw', base: 2 ** 52 - PAGE }, /base: it ends above 2\^52/],
    [
      'a range behind the file',
      { format: 'raw', ranges: [range, { ...range, start: PAGE, offset: 0x4000 }] },
      /ranges\[1\]: it begins at 16384 of the file 'ram', which has 16384 bytes/,
    ],
    [
      'ranges that overlap',
      { format: 'raw', ranges: [range, { ...range, start: 4095 }] },
      /two of them have the address 0xfff/,
    ],
  ]
  for (const [name, options, message] of refused) {
    it(`is refused with ${name}`, () => {
      assert.throws(
        () => open(options),
        (error) => error instanceof UsageError && message.test(error.message),
      )
    })
  }
})
