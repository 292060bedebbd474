// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/bytes/struct.ts.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  chars,
  i32,
  i64,
  readStruct,
  since,
  struct,
  u16,
  u32,
  u64,
  u8,
  writeStruct,
} from '../../../core/bytes/struct.ts'
import {
  disk_dump_header,
  disk_dump_header_32,
  kdump_sub_header,
  page_desc,
} from '../../../core/dump/kdump/diskdump.ts'
import { Elf64_Ehdr, Elf64_Phdr, Elf64_Shdr } from '../../../core/dump/elf/elfheaders.ts'
import { FormatError } from '../../../core/errors.ts'

const mixed = struct('mixed', { a: u8, b: u16, c: u8, d: u64, e: i32, f: i64, name: chars(5) })

describe('struct', () => {
  it('puts members where a C compiler does', () => {
    assert.deepEqual(mixed.offsets, { a: 0, b: 2, c: 4, d: 8, e: 16, f: 24, name: 32 })
    assert.equal(mixed.size, 40)
  })

  it('reads back what it wrote, in both byte orders', () => {
    const values = fc.record({
      a: fc.nat(0xff),
      b: fc.nat(0xffff),
      c: fc.nat(0xff),
      d: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      e: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      f: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      name: fc.string({ unit: 'grapheme-ascii', maxLength: 5 }),
    })
    fc.assert(
      fc.property(values, fc.boolean(), fc.nat(9), (value, little, at) => {
        const view = new DataView(new ArrayBuffer(at + mixed.size))
        writeStruct(mixed, view, at, value, { little })
        assert.deepEqual(readStruct(mixed, view, at, { little }), { ...value })
      }),
      { numRuns: 200 },
    )
  })

  it('writes little-endian bytes when not told otherwise', () => {
    const view = new DataView(new ArrayBuffer(4))
    writeStruct(struct('one', { x: u32 }), view, 0, { x: 0x01020304 })
    assert.deepEqual([...new Uint8Array(view.buffer)], [4, 3, 2, 1])
  })

  it('gives the fallback for a member that the version does not have, and does not write it', () => {
    const versioned = struct('versioned', { old: u32, young: since(3, u64, 7n) })
    const view = new DataView(new ArrayBuffer(16))
    new Uint8Array(view.buffer).fill(0xff)
    writeStruct(versioned, view, 0, { old: 1, young: 2n }, { version: 2 })
    assert.deepEqual(readStruct(versioned, view, 0, { version: 2 }), { old: 1, young: 7n })
    assert.equal(readStruct(versioned, view, 0, { version: 3 }).young, 2n ** 64n - 1n)
    assert.equal(versioned.sizeAt(2), 4)
    assert.equal(versioned.sizeAt(3), 16)
  })

  it('throws FormatError with the structure, the bytes wanted and the bytes left', () => {
    const view = new DataView(new ArrayBuffer(39))
    assert.throws(
      () => readStruct(mixed, view, 8),
      (error) =>
        error instanceof FormatError &&
        error.field === 'mixed' &&
        error.at === 8 &&
        /mixed needs 37 bytes, but only 31 are left/.test(error.message),
    )
  })
})

// Offsets and sizes that makedumpfile's and glibc's headers give, seen in real files.
const layouts: readonly [name: string, seen: unknown, expected: unknown][] = [
  ['disk_dump_header is 464 bytes', disk_dump_header.size, 464],
  ['disk_dump_header.block_size is at 428', disk_dump_header.offsets.block_size, 428],
  ['disk_dump_header.tv_sec is at 408', disk_dump_header.offsets.tv_sec, 408],
  ['disk_dump_header.nr_cpus is at 460', disk_dump_header.offsets.nr_cpus, 460],
  ['the 32-bit disk_dump_header is 452 bytes', disk_dump_header_32.size, 452],
  ['the 32-bit block_size is at 416', disk_dump_header_32.offsets.block_size, 416],
  ['page_desc is 24 bytes', page_desc.size, 24],
  [
    'kdump_sub_header has 8, 12, 32, 48, 64, 80 and 104 bytes in versions 0 to 6',
    [0, 1, 2, 3, 4, 5, 6].map((version) => kdump_sub_header.sizeAt(version)),
    [8, 12, 32, 48, 64, 80, 104],
  ],
  ['Elf64_Ehdr is 64 bytes', Elf64_Ehdr.size, 64],
  ['Elf64_Ehdr.e_phnum is at 56', Elf64_Ehdr.offsets.e_phnum, 56],
  ['Elf64_Phdr is 56 bytes', Elf64_Phdr.size, 56],
  ['Elf64_Phdr.p_memsz is at 40', Elf64_Phdr.offsets.p_memsz, 40],
  ['Elf64_Shdr is 64 bytes', Elf64_Shdr.size, 64],
  ['Elf64_Shdr.sh_info is at 44', Elf64_Shdr.offsets.sh_info, 44],
]
describe('declared structures of dumps', () => {
  for (const [name, seen, expected] of layouts) {
    it(name, () => {
      assert.deepEqual(seen, expected)
    })
  }
})
