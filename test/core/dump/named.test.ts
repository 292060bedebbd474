// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/dump/named.ts and elfothers.ts: what people have in place of a dump is named, with what helps.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { writeStruct } from '../../../core/bytes/struct.ts'
import { bytesAsFile } from '../../../core/dump/file.ts'
import { Elf64_Shdr } from '../../../core/dump/elf/elfheaders.ts'
import { type Note } from '../../../core/dump/format.ts'
import { named } from '../../../core/dump/named.ts'
import { openPages } from '../../../core/dump/open.ts'
import { FormatError, UnsupportedError } from '../../../core/errors.ts'
import { buildElf } from '../../build/elf.ts'

const PAGE = 4096
const hex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'))
const text = (value: string) => Uint8Array.from(Buffer.from(value, 'latin1'))
/** `bytes` at an offset of a file that is `size` bytes long. */
function at(offset: number, bytes: Uint8Array, size = 2 * PAGE) {
  const file = new Uint8Array(size)
  file.set(bytes, offset)
  return file
}

// The first bytes of files that the tools themselves made; what no tool here makes is by its published signature.
const rows: readonly [name: string, bytes: Uint8Array, message: RegExp][] = [
  [
    'gzip',
    hex('1f8b0808f466066b00036600edc9b109'),
    /compressed with gzip.*gunzip -c < 'x y' > NEW$/,
  ],
  ['Zstandard', hex('28b52ffd64c02a250100e04b44554d50'), /with Zstandard.*zstd -dc < 'x y' > NEW$/],
  ['xz', hex('fd377a585a000004e6d6b44602002101'), /compressed with xz.*xz -dc < 'x y' > NEW$/],
  ['lz4', hex('04224d186440a752000000ff0d4b4455'), /compressed with lz4.*lz4 -dc < 'x y' > NEW$/],
  ['bzip2', hex('425a683931415926535951d6f6ab0007'), /with bzip2.*bzip2 -dc < 'x y' > NEW$/],
  ['bzip2', hex('425a683131415926535951d6f6ab0007'), /with bzip2.*bzip2 -dc < 'x y' > NEW$/],
  ['lzop', hex('894c5a4f000d0a1a0a104020a0094001'), /with lzop.*lzop -dc < 'x y' > NEW$/],
  ['7z', hex('377abcaf271c000438c9b2b653000000'), /is a 7z archive.*7z x 'x y'$/],
  ['zip', hex('504b03041400000008002c25795dbd3a'), /is a zip archive.*unzip 'x y'$/],
  ['tar', at(257, hex('7573746172202000726f6f74')), /is a tar archive.*tar xf 'x y'$/],
  [
    'zlib stream',
    hex('7801edd7bb0980401005c0dc2a5e0196'),
    /one zlib stream, as LiME's compress=1.*zlib-flate -uncompress < 'x y'/,
  ],
  ['zlib stream', hex('789cedc9b10980300004c0de297e00c7'), /one zlib stream/],
  ['zlib stream', hex('78daedc9b10980300004c0de297e00c7'), /one zlib stream/],
  ['zlib stream', hex('785eedc9b10980300004c0de297e00c7'), /one zlib stream/],
  [
    'qcow2',
    hex('514649fb000000030000000000000000'),
    /qcow2 disk image.*virsh snapshot-revert .* virsh dump --memory-only/,
  ],
  [
    'sadump',
    at(0, text('sadump\0\0')),
    /by Fujitsu's sadump.*makedumpfile -c -d 31 -x VMLINUX 'x y' NEW$/,
  ],
  ['sadump', at(PAGE, text('sadump\0\0')), /by Fujitsu's sadump/],
  [
    'VMware state',
    hex('d2bed2be0800000090000000'),
    /\.vmss or \.vmsn.*vmss2core.*\.vmem.*format: 'raw', ranges/,
  ],
  ...['d0bed0be', 'd1bed1be', 'd3bed3be', 'd1bad1ba', 'd2bad2ba'].map(
    (magic): [string, Uint8Array, RegExp] => ['VMware state', hex(magic), /vmss2core/],
  ),
  ['Xen core', hex('edeb0ff0'), /core of a Xen domain.*crash opens it/],
  ['Xen core', hex('eeeb0ff0'), /core of a Xen domain/],
  ['Xen save file', text('LinuxGuestRecord'), /saved Xen domain.*kdump/],
  ['Xen save file', text('Xen saved domain, xl format\n \0 \r'), /saved Xen domain/],
  ['Windows dump', text('PAGEDU64\x0f\0\0\0'), /crash dump of Windows.*virsh dump --memory-only/],
  ['Windows dump', text('PAGEDUMP\x0f\0\0\0'), /crash dump of Windows/],
  ['minidump', text('MDMP\x93\xa7'), /minidump/],
  ['s390 dump', hex('a8190173618f23fd'), /s390.*only x86-64/],
  ['s390 dump', hex('fd238f61730119a8'), /s390/],
  ['LKCD', hex('ed238f61730119a8'), /LKCD.*crash opens it/],
  ['LKCD', hex('cd238f61730119a8'), /LKCD/],
  ['LKCD', hex('a8190173618f23ed'), /LKCD/],
  ['LKCD', hex('a8190173618f23cd'), /LKCD/],
  ['hibernation image', at(0xff6, text('S1SUSPEND\0')), /hibernation image.*resume the host/],
  ['swap', at(0xff6, text('SWAPSPACE2')), /swap device or file/],
  ['swap', at(0xff6, text('SWAP-SPACE')), /swap device or file/],
]

const open = (bytes: Uint8Array) => openPages(bytesAsFile('x y', bytes))

describe('a file that is no dump', () => {
  for (const [name, bytes, message] of rows) {
    it(`is named with what helps: ${name}, ${Buffer.from(bytes.subarray(0, 8)).toString('hex')}`, () => {
      assert.throws(
        () => open(bytes),
        (error) => {
          assert.ok(error instanceof UnsupportedError)
          assert.equal(error.feature, name)
          assert.match(error.message, /^x y is /)
          assert.match(error.message, message)
          return true
        },
      )
    })
  }

  it('has a row here for each one that is named', () => {
    assert.deepEqual(
      named.map(({ name }) => name).toSorted(),
      [...new Set(rows.map(([name]) => name))].toSorted(),
    )
  })

  it('has its name quoted for a shell in the command', () => {
    assert.throws(
      () => openPages(bytesAsFile("it's $&", hex('1f8b08'))),
      (error) => error instanceof Error && error.message.endsWith(" < 'it'\\''s $&' > NEW"),
    )
  })

  const zeroMessage = /all zeros, as of a copy that is not finished/
  const unknown: readonly [name: string, bytes: Uint8Array, message: RegExp][] = [
    ['an empty file', new Uint8Array(), /: it is empty;/],
    ['a file of zeros', new Uint8Array(3 << 20), /: its first MiB is all zeros, as of a copy/],
    ['a short file of zeros', new Uint8Array(1000), /: its 1000 bytes are all zeros, as of/],
    [
      'a text',
      text('\n\x1b[1mHello\x1b[0m, investigator\nmore'),
      /: it is a text, '\\x1b\[1mHello.*investigator';/,
    ],
    [
      'a text in UTF-8',
      new TextEncoder().encode(`Grüße${'ü'.repeat(70_000)}`),
      /: it is a text, 'Grüßeü/,
    ],
    [
      'a log',
      text('[    0.000000] Linux version 6.1.0\n'),
      /: it is the log of a kernel, .* beside it;/,
    ],
    ['a log with levels', text('<6>[   12.345678] usb 1-1\n'), /: it is the log of a kernel/],
    [
      'noise',
      hex('0001020304ff'),
      /: it begins with 00 01 02 03 04 ff; raw memory is opened with \{format: 'raw'/,
    ],
  ]
  for (const [name, bytes, message] of unknown) {
    it(`is described when it is ${name}`, () => {
      assert.throws(
        () => open(bytes),
        (error) =>
          error instanceof FormatError &&
          message.test(error.message) &&
          /looked for kdump-compressed/.test(error.message),
      )
    })
  }

  it('is not taken for a copy that is not finished when a byte of its first MiB is set', () => {
    assert.throws(
      () => open(at((1 << 20) - 1, hex('01'), 1 << 20)),
      (error) => error instanceof FormatError && !zeroMessage.test(error.message),
    )
  })
})

// The start of the note in a core that Linux wrote of a process 6160; the name and arguments are put in.
function prpsinfo(comm: string, args: string): Note {
  const desc = at(
    0,
    hex('005200000000000000064000000000000000000000000000101800000f18000025170000e11a0000'),
    136,
  )
  desc.set(text(comm.padEnd(16, '\0')), 40)
  desc.set(text(args.padEnd(80, '\0')), 56)
  return { name: 'CORE', type: 3, desc }
}
const mappings = [
  { paddr: 0, data: new Uint8Array(PAGE).fill(1), header: { p_vaddr: 0x56467ac4c000n } },
  { paddr: 0, data: new Uint8Array(PAGE).fill(2), header: { p_vaddr: 0x56467ac4e000n } },
]

describe('an ELF core that is no dump of a host', () => {
  const feature = (name: string, message: RegExp) => (error: unknown) =>
    error instanceof UnsupportedError && error.feature === name && message.test(error.message)

  it('is named as the core of a process, with its name and pid', () => {
    const bytes = buildElf({ segments: mappings, notes: [[prpsinfo('sleep', 'sleep 100')]] })
    const message = /^x y is the core of a process \(sleep, pid 6160\): no page table .* by kdump$/
    assert.throws(() => open(bytes), feature('core of a process', message))
  })

  it('is told from the core of a process with one mapping only', () => {
    const bytes = buildElf({ segments: mappings.slice(1), notes: [[prpsinfo('a\x1b[1m', '')]] })
    assert.throws(() => open(bytes), feature('core of a process', /\(a\\x1b\[1m, pid 6160\)/))
  })

  it("is named as QEMU's, with where its guest's memory is", () => {
    const notes = [[prpsinfo('CPU 0/KVM', '/usr/bin/qemu-system-x86_64 -m 4G')]]
    const message = /\(CPU 0\/KVM, pid 6160\); its guest's memory may be in it .* --memory-only/
    assert.throws(
      () => open(buildElf({ segments: mappings, notes })),
      feature('core of a process', message),
    )
  })

  const hosts: readonly [name: string, bytes: Uint8Array][] = [
    [
      'VMCOREINFO',
      buildElf({
        segments: mappings.slice(1),
        notes: [[prpsinfo('sleep', ''), { name: 'VMCOREINFO', type: 0, desc: text('A=1\n') }]],
      }),
    ],
    [
      'physical addresses',
      buildElf({
        segments: mappings.map((one, i) => ({ ...one, paddr: i * PAGE })),
        notes: [[prpsinfo('sleep', '')]],
      }),
    ],
    [
      "the kernel's own name",
      buildElf({
        segments: mappings.slice(1),
        notes: [[prpsinfo('vmlinux', '')]],
      }),
    ],
  ]
  for (const [name, bytes] of hosts) {
    it(`is not what has ${name}`, () => {
      assert.equal(open(bytes).facts.format, 'ELF')
    })
  }

  for (const section of ['.note.Xen', '.xen_prstatus']) {
    it(`is named as Xen's by the section ${section}`, () => {
      const names = text(`\0.shstrtab\0${section}\0`)
      const shoff = 64
      const bytes = new Uint8Array(shoff + 2 * Elf64_Shdr.size + names.length)
      const header = {
        e_phnum: 0,
        e_shoff: BigInt(shoff),
        e_shentsize: Elf64_Shdr.size,
        e_shnum: 2,
        e_shstrndx: 1,
      }
      bytes.set(buildElf({ segments: [], header }))
      const offset = shoff + 2 * Elf64_Shdr.size
      const place = { sh_offset: BigInt(offset), sh_size: BigInt(names.length) }
      writeStruct(Elf64_Shdr, new DataView(bytes.buffer), shoff + Elf64_Shdr.size, place)
      bytes.set(names, offset)
      assert.throws(() => open(bytes), feature('Xen core', /core of a Xen domain.*crash opens it/))
    })
  }
})
