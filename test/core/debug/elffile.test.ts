// SPDX-License-Identifier: GPL-2.0-or-later
// ELF files that describe kernels: what is read of them, what is refused, and lists of symbols.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ElfFile } from '../../../core/debug/elffile.ts'
import { readSystemMap } from '../../../core/debug/systemmap.ts'
import { bytesAsFile } from '../../../core/dump/file.ts'
import { FormatError, UnsupportedError } from '../../../core/errors.ts'
import { debugElf } from '../../build/debugelf.ts'

const open = (bytes: Uint8Array): ElfFile => new ElfFile(bytesAsFile('vmlinux', bytes))
const banner = 'Linux version 5.10.0-46-amd64 (builder) (gcc) #1 SMP Debian'

describe('an ELF file of a kernel', () => {
  const elf = open(
    debugElf({
      buildId: '9bcf00ff',
      btf: Uint8Array.of(1, 2, 3),
      banner,
      symbols: [
        ['_stext', 0xffffffff81000000n],
        ['twin', 0xffffffff81000100n],
        ['twin', 0xffffffff81000080n],
        ['per_cpu', 0x1000n],
      ],
      sections: [{ name: '.debug_info', data: new Uint8Array(9), isEmpty: true }],
    }),
  )

  it('tells its build id, its banner and its sections', () => {
    assert.equal(elf.buildId, '9bcf00ff')
    assert.equal(elf.banner, banner)
    const section = elf.section('.BTF')
    assert.deepEqual(section && [...elf.bytes(section, 3)], [1, 2, 3])
    assert.throws(() => section && elf.bytes(section, 2), FormatError)
  })

  it('has no section where only its size is told', () => {
    assert.equal(elf.section('.debug_info'), undefined)
    assert.equal(elf.hasDwarf, false)
  })

  it('gives symbols, moved with the image, small numbers left alone', () => {
    const symbols = elf.symbols()?.movedBy(0x2000000n)
    assert.deepEqual(symbols?.addresses('twin'), [0xffffffff83000080n, 0xffffffff83000100n])
    assert.equal(symbols.address('per_cpu'), 0x1000n)
    assert.equal(symbols.size('_stext'), 0x80)
    assert.deepEqual(symbols.nearest(0xffffffff83000090n), {
      name: 'twin',
      address: 0xffffffff83000080n,
      offset: 16,
    })
    assert.equal(symbols.nearest(0xfffn), undefined)
    assert.deepEqual(symbols.names('t', 5), ['twin'])
  })

  it('is refused when it is of another machine, or cut off', () => {
    assert.throws(() => open(debugElf({ machine: 183 })), UnsupportedError)
    const bytes = debugElf({ buildId: '00' })
    assert.throws(() => open(bytes.subarray(0, bytes.length - 10)), FormatError)
    assert.throws(() => open(bytes.subarray(0, 20)), FormatError)
  })
})

describe('System.map', () => {
  const read = (text: string) => readSystemMap(bytesAsFile('System.map', Buffer.from(text)))

  it('is read line by line, symbols of modules left out', () => {
    const symbols = read(
      '0000000000001000 A cpu_debug_store\nffffffff81000000 T _stext\nffffffffc0000000 t init\t[kvm]\n',
    )
    assert.equal(symbols.count, 2)
    assert.equal(symbols.address('_stext'), 0xffffffff81000000n)
  })

  it('is refused with the line that is none, and when all addresses are hidden', () => {
    assert.throws(() => read('ffffffff81000000 T _stext\nhello\n'), /line 2 is "hello"/)
    assert.throws(() => read('0000000000000000 T _stext\n'), /as root, with kernel.kptr_restrict/)
    assert.throws(() => read(''), FormatError)
  })
})
