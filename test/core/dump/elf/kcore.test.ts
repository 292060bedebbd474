// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/dump/elf/elf.ts on odd ELF files: a file shaped like /proc/kcore, ELF32 of a 64-bit kernel, many segments.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytesAsFile, type FileBytes } from '../../../../core/dump/file.ts'
import { type Missing } from '../../../../core/dump/format.ts'
import { openPages } from '../../../../core/dump/open.ts'
import { UnsupportedError } from '../../../../core/errors.ts'
import { buildElf, type ElfSegment } from '../../../build/elf.ts'

const PAGE = 4096
const ALL_ONES = 2n ** 64n - 1n
const text = (vmcoreinfo: string) => ({
  name: 'VMCOREINFO',
  type: 0,
  desc: new TextEncoder().encode(vmcoreinfo),
})

/** fs/proc/kcore.c: a range's place in the file is its virtual address without the sign bits, behind the headers. */
function range(vaddr: bigint, bits: bigint, paddr: bigint, pages: number): ElfSegment {
  const size = BigInt(pages * PAGE)
  const header = {
    p_offset: (vaddr & (2n ** bits - 1n)) + BigInt(PAGE),
    p_vaddr: vaddr,
    p_paddr: paddr,
    p_filesz: size,
    p_memsz: size,
  }
  return { paddr: 0, header }
}

/** A running system: its headers, and memory that says which frame it is, by the direct map's place in the file. */
function kcore(bits: bigint, directMap: bigint, segments: readonly ElfSegment[]) {
  const reads: number[] = []
  const notes = [{ name: 'CORE', type: 3, desc: new Uint8Array(136) }, text('OSRELEASE=6.12\n')]
  const head = buildElf({ segments, notes: [notes] })
  const base = Number(directMap & (2n ** bits - 1n)) + PAGE
  const file: FileBytes = {
    name: '/proc/kcore',
    size: Number(2n ** bits) + PAGE,
    read(offset, length) {
      reads.push(length)
      if (offset + length <= head.length) return head.slice(offset, offset + length)
      const bytes = new Uint8Array(length)
      if (offset < PAGE) bytes.set(head.subarray(offset))
      for (let i = 0; i < length; i++) {
        const pfn = Math.floor((offset + i - base) / PAGE)
        if (offset + i >= base) bytes[i] = pfn & 0xff
      }
      return bytes
    },
    close() {
      return
    },
  }
  return { file, reads }
}

const eras: readonly [name: string, bits: bigint, directMap: bigint][] = [
  ['4 levels', 47n, 0xffff888000000000n],
  ['5 levels', 56n, 0xff11000000000000n],
]
for (const [name, bits, directMap] of eras) {
  describe(`A file shaped like /proc/kcore with ${name}`, () => {
    const segments = [
      range(0xffffffff81000000n, bits, 0x2000000n, 16),
      range(0xffffc90000000000n, bits, ALL_ONES, 1 << 20),
      range(0xffffffffc0000000n, bits, ALL_ONES, 1 << 10),
      range(directMap + 0x1000n, bits, 0x1000n, 158),
      range(directMap + 0x100000n, bits, 0x100000n, 1 << 20),
      range(0xffffea0000000000n, bits, ALL_ONES, 1 << 10),
    ]

    it('gives RAM, has holes where there is none, and says that it moves', () => {
      const { file } = kcore(bits, directMap, segments)
      const source = openPages(file)
      assert.match(source.facts.remarks.join(), /a running system \(\/proc\/kcore\): it changes/)
      assert.match(source.facts.remarks.join(), /other notes: CORE NT_PRPSINFO \(136 bytes\)/)
      for (const pfn of [1, 158, 256, 0x2000, 0x2010, 256 + (1 << 20) - 1]) {
        const page = source.page(pfn)
        assert.ok(page instanceof Uint8Array)
        assert.ok(
          page.every((byte) => byte === (pfn & 0xff)),
          `frame ${pfn}`,
        )
      }
      for (const pfn of [0, 159, 255, 256 + (1 << 20)]) {
        assert.equal((source.page(pfn) as Missing).why, 'hole')
      }
      assert.equal(source.vmcoreinfo, 'OSRELEASE=6.12\n')
    })

    it('is opened by its headers alone', () => {
      const { file, reads } = kcore(bits, directMap, segments)
      openPages(file)
      assert.ok(reads.reduce((sum, length) => sum + length, 0) < 200_000)
    })
  })
}

describe('/proc/kcore without physical addresses', () => {
  it('is refused with the reason', () => {
    const segments = [0x1000n, 0x100000n].map((at) => range(0xffff888000000000n + at, 47n, 0n, 16))
    const { file } = kcore(47n, 0xffff888000000000n, segments)
    assert.throws(
      () => openPages(file),
      (error) => error instanceof UnsupportedError && /before Linux 4\.11/.test(error.message),
    )
  })
})

describe('A 32-bit ELF file of a 64-bit kernel', () => {
  const page = new Uint8Array(PAGE).fill(3)
  const segments = [{ paddr: 16 * PAGE, data: page }]
  const notes = [[text('OSRELEASE=6.1\nSYMBOL(_stext)=ffffffff81000000\n')]]
  for (const e_machine of [62, 3]) {
    it(`for machine ${e_machine} has its pages, and a remark`, () => {
      const bytes = buildElf({ segments, notes, narrow: true, header: { e_machine } })
      const source = openPages(bytesAsFile('vmcore', bytes))
      assert.deepEqual(source.page(16), page)
      assert.equal((source.page(17) as Missing).why, 'hole')
      assert.match(source.facts.remarks.join(), /^a 32-bit ELF file of a 64-bit kernel: /)
    })
  }
})

describe('A 64-bit ELF file for machine i386, as QEMU writes it of a processor in no 64-bit mode', () => {
  it('is of a 64-bit kernel when its VMCOREINFO is', () => {
    const segments = [{ paddr: 0, data: new Uint8Array(PAGE).fill(3) }]
    const notes = [[text('SYMBOL(_stext)=ffffffff81000000\n')]]
    const bytes = buildElf({ segments, notes, header: { e_machine: 3 } })
    const source = openPages(bytesAsFile('vmcore', bytes))
    assert.deepEqual(source.page(0), segments[0]?.data)
    assert.deepEqual(source.facts.remarks, [])
  })
})

describe('An ELF file with more segments than 16 bits count', () => {
  it('gives the page of each of 65,843, as a dump with paging had', () => {
    const count = 65_843
    const distinct = 256
    const build = (dataAt: number) =>
      buildElf({
        xnum: true,
        segments: Array.from({ length: count }, (_, i) => ({
          // Every second frame, and the last ones first, as mappings lie.
          paddr: 2 * (count - i) * PAGE,
          header: {
            p_offset: BigInt(dataAt + (i % distinct) * PAGE),
            p_filesz: BigInt(PAGE),
            p_memsz: BigInt(PAGE),
          },
        })),
      })
    const dataAt = build(0).length
    const bytes = new Uint8Array(dataAt + distinct * PAGE)
    bytes.set(build(dataAt))
    for (let i = 0; i < distinct; i++) bytes.fill(i, dataAt + i * PAGE, dataAt + (i + 1) * PAGE)

    const source = openPages(bytesAsFile('vmcore', bytes))
    assert.equal(source.endPfn, 2 * count + 1)
    for (let i = 0; i < count; i += 7) {
      const page = source.page(2 * (count - i))
      assert.ok(page instanceof Uint8Array)
      assert.ok(page[0] === i % distinct && page[PAGE - 1] === i % distinct)
      assert.equal((source.page(2 * (count - i) - 1) as Missing).why, 'hole')
    }
  })
})
