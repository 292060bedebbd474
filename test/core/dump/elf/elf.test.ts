// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/dump/elf/elf.ts: segments of every shape, and every reason for which a page is missing.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytesAsFile } from '../../../../core/dump/file.ts'
import { type Missing } from '../../../../core/dump/format.ts'
import { openPages } from '../../../../core/dump/open.ts'
import { FormatError, UnsupportedError } from '../../../../core/errors.ts'
import { buildElf, type ElfDescription } from '../../../build/elf.ts'
import { patterned } from '../../../build/pages.ts'

const PAGE = 4096
const pages = patterned([0, 1, 2, 3, 4, 5, 6, 7])
const bytesOf = (from: number, to: number) =>
  Uint8Array.from(Array.from({ length: to - from }, (_, i) => [...page(from + i)]).flat())
const text = new TextEncoder().encode('OSRELEASE=6.12.0-test\n')
const vmcoreinfo = { name: 'VMCOREINFO', type: 0, desc: text }
const prstatus = { name: 'CORE', type: 1, desc: new Uint8Array(336).fill(7) }

function page(pfn: number): Uint8Array {
  const found = pages.get(pfn)
  assert.ok(found)
  return found
}

function open(description: ElfDescription) {
  return openPages(bytesAsFile('vmcore', buildElf(description)))
}

// Frames 16 to 19 hold the patterns of frames 0 to 3, frames 256 to 259 those of 4 to 7.
const two: ElfDescription = {
  segments: [
    { paddr: 256 * PAGE, data: bytesOf(4, 8) },
    { paddr: 16 * PAGE, data: bytesOf(0, 4) },
  ],
  notes: [[prstatus, prstatus], [vmcoreinfo]],
}

const shapes: readonly [name: string, description: ElfDescription][] = [
  ['program headers right behind the ELF header', two],
  [
    'program headers at 192 and an e_ehsize of 8, as QEMU 7.2 writes',
    { ...two, phoff: 192, header: { e_ehsize: 8 } },
  ],
  ['program headers of 80 bytes', { ...two, phentsize: 80 }],
  ['the number of program headers in a section header', { ...two, xnum: true }],
  ['data that do not begin at page boundaries', { ...two, skew: 0x650 }],
]
describe('an ELF vmcore', () => {
  for (const [name, description] of shapes) {
    it(`gives pages, notes and VMCOREINFO: ${name}`, () => {
      const source = open(description)
      for (let i = 0; i < 4; i++) {
        assert.deepEqual(source.page(16 + i), page(i))
        assert.deepEqual(source.page(256 + i), page(4 + i))
      }
      assert.equal(source.endPfn, 260)
      assert.deepEqual(source.notes, [prstatus, prstatus, vmcoreinfo])
      assert.equal(source.vmcoreinfo, 'OSRELEASE=6.12.0-test\n')
      assert.equal(source.facts.format, 'ELF')
    })
  }

  it('says where the program headers are when makedumpfile would not find them', () => {
    assert.match(open({ ...two, phoff: 192 }).facts.remarks.join(), /at 192.*makedumpfile cannot/)
    assert.deepEqual(open(two).facts.remarks, [])
  })

  it('with more segments than fit in 16 bits gives the pages of all', () => {
    const data = page(1)
    const count = 66_000
    const segments = Array.from({ length: count }, (_, i) => ({
      paddr: (2 * i + 1) * PAGE,
      data: data.subarray(0, i % 1000 === 0 ? PAGE : 0),
      memsz: PAGE,
    }))
    const source = open({ segments, xnum: true })
    assert.deepEqual(source.page(2 * 65_000 + 1), data)
    assert.equal((source.page(2 * 65_000) as Missing).why, 'hole')
    assert.equal(source.endPfn, 2 * count)
  })

  it('serves memory that two segments have from either', () => {
    const source = open({
      segments: [
        { paddr: 16 * PAGE, data: bytesOf(0, 4) },
        { paddr: 17 * PAGE, data: bytesOf(1, 2) },
        { paddr: 18 * PAGE, data: bytesOf(2, 6) },
      ],
    })
    for (let i = 0; i < 6; i++) assert.deepEqual(source.page(16 + i), page(i), String(i))
  })

  it('joins a page of two segments', () => {
    const data = bytesOf(0, 2)
    const source = open({
      segments: [
        { paddr: 16 * PAGE, data: data.subarray(0, 5000) },
        { paddr: 16 * PAGE + 5000, data: data.subarray(5000) },
      ],
    })
    assert.deepEqual(source.page(16), page(0))
    assert.deepEqual(source.page(17), page(1))
  })

  it('steps over ranges of /proc/kcore that are no RAM, and over other program headers', () => {
    const source = open({
      segments: [
        { paddr: 0, data: page(3), header: { p_paddr: 2n ** 64n - 1n } },
        { paddr: 0, data: page(3), header: { p_type: 0 } },
        { paddr: 16 * PAGE, data: page(0) },
      ],
    })
    assert.equal(source.endPfn, 17)
    assert.equal((source.page(0) as Missing).why, 'hole')
  })

  it('remarks segments above the addresses of x86-64, and takes no more bytes than memory', () => {
    const source = open({
      segments: [
        { paddr: 2 ** 52 - PAGE, data: bytesOf(0, 2) },
        { paddr: 16 * PAGE, data: bytesOf(0, 2), memsz: PAGE },
      ],
    })
    assert.match(source.facts.remarks.join(), /1 segments lie above/)
    assert.equal(source.endPfn, 17)
    assert.equal((source.page(17) as Missing).why, 'hole')
  })

  it('whose notes are not in the file gives its pages, with a remark', () => {
    const bytes = buildElf(two)
    new DataView(bytes.buffer).setBigUint64(64 + 8, 2n ** 40n, true)
    const source = openPages(bytesAsFile('vmcore', bytes))
    assert.deepEqual(source.page(16), page(0))
    assert.match(source.facts.remarks.join(), /notes should be .* not in the file/)
    assert.deepEqual(source.notes, [vmcoreinfo])
  })
})

describe('a page of an ELF vmcore', () => {
  it('is a hole where no segment is', () => {
    const source = open(two)
    const hole = { why: 'hole', detail: 'no segment has memory there' }
    for (const pfn of [0, 15, 20, 255, 260, 2 ** 40, -1, 16.5, NaN]) {
      assert.deepEqual(source.page(pfn), hole, String(pfn))
      assert.equal(source.exists?.(pfn), false)
    }
  })

  it('is excluded where a segment has memory but no data, which may be zeros as well', () => {
    const source = open({ segments: [{ paddr: 16 * PAGE, data: page(0), memsz: 3 * PAGE }] })
    assert.deepEqual(source.page(16), page(0))
    const missing = source.page(18) as Missing
    assert.equal(missing.why, 'excluded')
    assert.match(missing.detail, /left out by makedumpfile or all zeros: an ELF file does not tell/)
    assert.equal(source.exists?.(18), true)
  })

  it('is missing when the file has a part of it only, and says how much', () => {
    const source = open({ segments: [{ paddr: 16 * PAGE, data: bytesOf(0, 2).subarray(0, 5000) }] })
    assert.deepEqual(source.page(17), {
      why: 'hole',
      detail: "only 904 of the page's 4096 bytes are in the file: no segment has memory there",
    })
  })

  it('is lost where the file was cut, and the pages before are there', () => {
    const bytes = buildElf(two)
    const source = openPages(bytesAsFile('vmcore', bytes.subarray(0, bytes.length - PAGE - 1)))
    assert.deepEqual(source.page(17), page(1))
    for (const pfn of [18, 19]) {
      const missing = source.page(pfn) as Missing
      assert.equal(missing.why, 'lost')
      assert.match(
        missing.detail,
        new RegExp(`the file ends at ${bytes.length - PAGE - 1}, before the page's data at \\d+$`),
      )
    }
    assert.match(source.facts.remarks.join(), /the file is cut off/)
  })

  it('is lost when no segment has it and makedumpfile could not write all', () => {
    const source = open({ ...two, header: { e_flags: 1 } })
    assert.equal((source.page(30) as Missing).why, 'lost')
    assert.match(source.facts.remarks.join(), /incomplete/)
  })

  it('is lost, no hole, when no segment has it and program headers were never written', () => {
    const bytes = buildElf(two)
    // The last header: two blocks of notes and the other segment are before it.
    bytes.fill(0, 64 + 3 * 56, 64 + 4 * 56)
    const source = openPages(bytesAsFile('vmcore', bytes))
    const { why, detail } = source.page(30) as Missing
    assert.deepEqual([why, detail], ['lost', 'no segment has it, and the dump is incomplete'])
    assert.match(source.facts.remarks.join(), /1 of 4 program headers were never written/)
  })

  it('stays what it was, and pages of zeros are one array', () => {
    const source = open({
      segments: [
        { paddr: 0, data: new Uint8Array(64 * PAGE) },
        { paddr: 64 * PAGE, data: bytesOf(0, 8) },
      ],
    })
    const first = source.page(64)
    for (let pfn = 0; pfn < 72; pfn++) source.page(pfn)
    assert.deepEqual(first, page(0))
    assert.equal(source.page(3), source.page(40))
  })
})

const unsupported: readonly [name: string, description: ElfDescription, message: RegExp][] = [
  [
    'of a 32-bit kernel, with its VMCOREINFO',
    {
      ...two,
      notes: [[{ ...vmcoreinfo, desc: new TextEncoder().encode('SYMBOL(_stext)=c0100000\n') }]],
      narrow: true,
      header: { e_machine: 3 },
    },
    /an ELF dump of machine i386 is not supported: its VMCOREINFO is no 64-bit kernel's/,
  ],
  [
    '32-bit, with no VMCOREINFO',
    { segments: two.segments, narrow: true, header: { e_machine: 3 } },
    /it has no VMCOREINFO/,
  ],
  ['big-endian', { ...two, header: { data: 2 } }, /a big-endian ELF file is not supported/],
  ['aarch64', { ...two, header: { e_machine: 183 } }, /machine aarch64 is not supported/],
  ['a machine without a name', { ...two, header: { e_machine: 9999 } }, /machine number 9999/],
  [
    'no physical addresses',
    {
      segments: [
        { paddr: 0, data: page(0) },
        { paddr: 0, data: page(1) },
      ],
    },
    /without physical addresses/,
  ],
]
const impossible: readonly [
  name: string,
  description: ElfDescription,
  field: string,
  message: RegExp,
][] = [
  ['a vmlinux', { ...two, header: { e_type: 2 } }, 'e_type', /a program or a vmlinux \(e_type 2\)/],
  ['no program headers', { segments: [] }, 'e_phnum', /is 0/],
  [
    'program headers behind the end',
    { ...two, header: { e_phoff: 2n ** 60n } },
    'e_phoff',
    /the file at/,
  ],
  [
    'program headers of 8 bytes',
    { ...two, header: { e_phentsize: 8 } },
    'e_phentsize',
    /is 8, below 56/,
  ],
]
describe('an ELF file that is refused', () => {
  for (const [name, description, message] of unsupported) {
    it(`is named: ${name}`, () => {
      assert.throws(
        () => open(description),
        (error) => error instanceof UnsupportedError && message.test(error.message),
      )
    })
  }
  for (const [name, description, field, message] of impossible) {
    it(`has its field told: ${name}`, () => {
      assert.throws(
        () => open(description),
        (error) =>
          error instanceof FormatError &&
          error.field === `Elf64_Ehdr.${field}` &&
          message.test(error.message),
      )
    })
  }
  it('is told to be cut off when none of its program headers was written', () => {
    const segments = [{ paddr: 0, header: { p_type: 0, p_offset: 0n } }]
    assert.throws(
      () => open({ segments }),
      (error) =>
        error instanceof FormatError &&
        error.field === 'Elf64_Phdr.p_type' &&
        /none of its 1 program headers \(at 64\) .*, and 1 are zeros: .*cut off\?$/.test(
          error.message,
        ),
    )
  })

  it('is told where its section header should be when the number of segments is there', () => {
    assert.throws(
      () => open({ ...two, xnum: true, header: { e_shoff: 2n ** 50n } }),
      (error) => error instanceof FormatError && /Elf64_Shdr/.test(error.message),
    )
  })
})
