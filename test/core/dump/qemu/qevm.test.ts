// SPDX-License-Identifier: GPL-2.0-or-later
// Migration streams that a test writes: what a page was sent as, where memory lies, what is refused and by which name.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytesAsFile } from '../../../../core/dump/file.ts'
import { type PageSource } from '../../../../core/dump/format.ts'
import { openPages } from '../../../../core/dump/open.ts'
import { memoryMap } from '../../../../core/dump/qemu/pcmemory.ts'
import { qemuCpus } from '../../../../core/dump/qemu/qemunote.ts'
import { DumpError, FormatError, UnsupportedError } from '../../../../core/errors.ts'
import {
  blockList,
  devices,
  pageOf,
  ramStart,
  sectionEnd,
  streamHead,
  StreamWriter,
} from '../../../build/qevm.ts'

const [ZERO, PAGE, CONTINUE] = [2, 8, 0x20]

function opened(out: StreamWriter | Uint8Array): PageSource {
  return openPages(bytesAsFile('stream', out instanceof StreamWriter ? out.done() : out))
}

function bytesOf(source: PageSource, pfn: number): Uint8Array {
  const page = source.page(pfn)
  assert.ok(page instanceof Uint8Array, JSON.stringify(page))
  return page
}

function whyOf(source: PageSource, pfn: number): string {
  const page = source.page(pfn)
  return page instanceof Uint8Array ? 'there' : page.why
}

/** 32 KiB of memory behind 8 KiB of ROM: pages 0 to 4, page 1 sent twice, page 3 zeros after content, 5 to 7 never. */
function small(machine = 'pc-q35-7.2'): StreamWriter {
  const out = ramStart(streamHead(machine))
  blockList(out, [
    ['pc.bios', 0x2000],
    ['pc.ram', 0x8000],
  ])
  sectionEnd(out).u8(2).u32(2)
  out
    .u64(0 | PAGE)
    .name('pc.bios')
    .bytes(pageOf(99))
  out
    .u64(0x0000 | PAGE)
    .name('pc.ram')
    .bytes(pageOf(100))
  for (const page of [1, 2, 3]) out.u64((page * 4096) | PAGE | CONTINUE).bytes(pageOf(100 + page))
  sectionEnd(out).u8(3).u32(2)
  out.u64(0x1000 | PAGE | CONTINUE).bytes(pageOf(201))
  out.u64(0x3000 | ZERO | CONTINUE).u8(0)
  out
    .u64(0x4000 | ZERO)
    .name('pc.ram')
    .u8(0)
  return sectionEnd(out)
}

describe('a migration stream', () => {
  it('gives each page as it was sent last, zeros as zeros, and says which were never sent', () => {
    const source = opened(devices(small(), []))
    const wanted = [pageOf(100), pageOf(201), pageOf(102), Buffer.alloc(4096), Buffer.alloc(4096)]
    for (const [pfn, bytes] of wanted.entries())
      assert.deepEqual([...bytesOf(source, pfn)], [...bytes])
    assert.deepEqual(
      [5, 6, 7, 8, -1, 2 ** 40].map((pfn) => whyOf(source, pfn)),
      ['excluded', 'excluded', 'excluded', 'hole', 'hole', 'hole'],
    )
    assert.equal(source.endPfn, 8)
    assert.deepEqual([source.exists?.(7), source.exists?.(8)], [true, false])
  })

  it('that was cut is read up to there, and the rest is lost', () => {
    const whole = devices(small(), []).done()
    const cut = whole.indexOf(pageOf(201)) + 100
    const source = opened(whole.subarray(0, cut))
    assert.deepEqual([...bytesOf(source, 1)], [...pageOf(101)])
    assert.deepEqual([bytesOf(source, 3)[0], whyOf(source, 4)], [103, 'lost'])
    assert.match(source.facts.remarks.join(), new RegExp(`the file ends at ${cut}, in the middle`))
  })

  it('has the registers of processors and the note of VMCOREINFO where its devices say', () => {
    const text = 'OSRELEASE=6.12\n'
    const note = Buffer.alloc(4096)
    note.writeUInt32LE(11, 0)
    note.writeUInt32LE(text.length, 4)
    note.write('VMCOREINFO', 12)
    note.write(text, 24)
    const out = ramStart(streamHead('pc-q35-9.1'))
    blockList(out, [['pc.ram', 0x4000]])
    out
      .u64(0x2000 | PAGE)
      .name('pc.ram')
      .bytes(note)
    sectionEnd(out.u64(0x10).u8(3).u32(2))
    const segment = (n: bigint) => (n << 128n) | ((n + 1n) << 64n) | ((n + 2n) << 32n) | 3n
    devices(out, [
      { name: 'timer', version: 2, fields: [['ticks', 8, [1n, 2n]]] },
      {
        name: 'cpu',
        version: 12,
        fields: [
          ['env.regs', 8, Array.from({ length: 16 }, (_, i) => BigInt(0x100 + i))],
          ['env.eip', 8, [0xffffffff81000010n]],
          ['env.eflags', 8, [0x246n]],
          ['env.segs', 20, [0n, 16n, 24n, 0n, 0n, 0n].map(segment)],
          ['env.ldt', 20, [0n]],
          ['env.tr', 20, [0n]],
          ['env.gdt', 20, [0n]],
          ['env.idt', 20, [0xfffffe0000000000n << 64n]],
          ['env.cr[0]', 8, [0x80050033n]],
          ['env.cr[3]', 8, [0x1234000n]],
          ['env.cr[4]', 8, [0x1020n]],
        ],
      },
      {
        name: 'vmcoreinfo',
        version: 1,
        fields: [
          ['has_vmcoreinfo', 1, [1n]],
          ['vmcoreinfo.host_format', 2, [0n]],
          ['vmcoreinfo.guest_format', 2, [1n]],
          ['vmcoreinfo.size', 4, [BigInt(24 + text.length + 1)]],
          ['vmcoreinfo.paddr', 8, [0x2000n]],
        ],
      },
    ])
    const source = opened(out)
    assert.equal(source.vmcoreinfo, text)
    const { cpus, problems } = qemuCpus(source.notes)
    assert.deepEqual(problems, [])
    const [cpu] = cpus
    assert.ok(cpu)
    assert.deepEqual(
      [cpu.cr3, cpu.cr4, cpu.cr0, cpu.rip, cpu.rsp, cpu.cs, cpu.idtBase],
      [0x1234000n, 0x1020n, 0x80050033n, 0xffffffff81000010n, 0x104n, 16, 0xfffffe0000000000n],
    )
  })

  it('says so when a device or the description is not there', () => {
    assert.match(opened(small()).facts.remarks.join(), /no description of the devices/)
    assert.match(opened(devices(small(), [])).facts.remarks.join(), /no registers of processors/)
  })
})

/** What is wrong, in place of the first page, and what the error has to name. */
const refused: [string, (out: StreamWriter) => StreamWriter, RegExp][] = [
  ['XBZRLE', (out) => out.u64(0x40).name('pc.ram').u8(1), /XBZRLE.*virsh dump --memory-only/],
  ['compressed pages', (out) => out.u64(0x100).name('pc.ram').u32(9), /the capability compress/],
  ['RDMA', (out) => out.u64(0x80), /RDMA/],
  ['multifd', (out) => out.u64(0x200), /multifd/],
  ['pages of 2009', (out) => out.u64(1), /before 0.14/],
  ['postcopy', (out) => sectionEnd(out).u8(8).u16(3).u16(0), /postcopy/],
  [
    'another section before the end of memory',
    (out) => sectionEnd(out).u8(1).u32(3).name('block').u32(0).u32(1),
    /section 'block' of version 1 before the end of memory/,
  ],
]

/** What cannot be, in place of the first page. */
const wrong: [string, (out: StreamWriter) => StreamWriter, RegExp][] = [
  [
    'a page behind its block',
    (out) => out.u64(0x4008).name('pc.ram').bytes(pageOf(1)),
    /16384 of pc/,
  ],
  [
    'a page of a block that is not listed',
    (out) => out.u64(8).name('x'),
    /'x', which was not listed/,
  ],
  ['a page of no block', (out) => out.u64(0x28).bytes(pageOf(1)), /of no block/],
  ['a page of other bytes than zero', (out) => out.u64(2).name('pc.ram').u8(7), /filled with 7/],
  ['a second list of blocks', (out) => blockList(out, [['a', 4096]]), /second list/],
  ['flags that do not exist', (out) => out.u64(0x400), /flags 0x400/],
  ['an end before the end of memory', (out) => sectionEnd(out).u8(0), /no memory before/],
  ['a section of another type', (out) => sectionEnd(out).u8(9), /a section of type 9/],
  ['a section of another number', (out) => sectionEnd(out).u8(2).u32(7), /section 7 at/],
]

describe('a migration stream that cannot be read', () => {
  const start = () => blockList(ramStart(streamHead('pc-q35-7.2')), [['pc.ram', 0x4000]])
  for (const [name, write, message] of refused) {
    it(`is refused by name: ${name}`, () => {
      const out = write(start()).bytes(Buffer.alloc(8192))
      assert.throws(
        () => opened(out),
        (error) => error instanceof UnsupportedError && message.test(error.message),
      )
    })
  }
  for (const [name, write, message] of wrong) {
    it(`is refused: ${name}`, () => {
      const out = write(start()).bytes(Buffer.alloc(8192))
      assert.throws(
        () => opened(out),
        (error) => error instanceof FormatError && message.test(error.message),
      )
    })
  }
  it('is refused when its list of blocks does not end at its sum', () => {
    const list = ramStart(streamHead('pc-q35-7.2'))
    for (const size of [0, 0x9000, 0x1001]) {
      const out = new StreamWriter().bytes(list.done()).u64(0x8004).name('pc.ram').u64(size)
      assert.throws(() => opened(out.bytes(Buffer.alloc(8192))), /block 'pc.ram' of \d+ bytes/)
    }
    assert.throws(() => opened(streamHead().u8(1).u32(2).name('ram').u32(0).u32(9)), /of version 9/)
    assert.throws(() => opened(new StreamWriter().bytes(Buffer.from('QEVM')).u32(4)), /version 4/)
  })
})

describe('a migration stream with bytes changed', () => {
  it('opens or is refused, and never does anything else', () => {
    const whole = devices(small(), [
      { name: 'cpu', version: 12, fields: [['env.cr[3]', 8, [1n]]] },
      { name: 'vmcoreinfo', version: 1, fields: [['vmcoreinfo.paddr', 8, [1n]]] },
    ]).done()
    let seed = 1
    const random = (limit: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
      return (seed >>> 8) % limit
    }
    const outcomes = { opened: 0, refused: 0 }
    for (let round = 0; round < 3000; round++) {
      const bytes = Buffer.from(whole)
      // Where the numbers are: the beginning of the stream, between pages, and the devices.
      for (let change = random(3); change >= 0; change--) {
        const near = [0, 4096 * random(6), bytes.length - 500][random(3)] ?? 0
        bytes[Math.min(near + random(500), bytes.length - 1)] = random(256)
      }
      try {
        const source = opened(bytes.subarray(0, bytes.length - random(2) * random(bytes.length)))
        for (let pfn = 0; pfn < 9; pfn++) source.page(pfn)
        outcomes.opened++
      } catch (error) {
        assert.ok(error instanceof DumpError, String(error))
        outcomes.refused++
      }
    }
    assert.ok(outcomes.opened > 500 && outcomes.refused > 300, JSON.stringify(outcomes))
  })
})

/** Machine, bytes of memory, and how much lies below 4 GiB: QEMU's pc_init1, pc_q35_init and microvm. */
const maps: [machine: string, size: number, below: number][] = [
  ['pc-i440fx-7.2', 0xdffff000, 0xdffff000],
  ['pc-i440fx-7.2', 0xe0000000, 0xc0000000],
  ['pc-i440fx-jammy', 0x140000000, 0xc0000000],
  ['pc-i440fx-1.7', 0x140000000, 0xe0000000],
  ['pc-1.0', 0x140000000, 0xe0000000],
  ['pc-q35-7.2', 0xaffff000, 0xaffff000],
  ['pc-q35-rhel9.2.0', 0xb0000000, 0x80000000],
  ['microvm', 0x100000000, 0xc0000000],
  ['somebody-else', 0x80000000, 0x80000000],
]
describe('the memory map', () => {
  for (const [machine, size, below] of maps) {
    it(`of ${machine} with ${size} bytes has ${below} of them below 4 GiB`, () => {
      const { ranges } = memoryMap(machine, size)
      const low = { start: 0, end: below, offset: 0 }
      const high = { start: 2 ** 32, end: 2 ** 32 + size - below, offset: below }
      assert.deepEqual(ranges, size === below ? [low] : [low, high])
    })
  }
  it('of a machine that is not known is refused when it has a hole', () => {
    assert.throws(() => memoryMap('somebody-else', 0x80001000), /machine somebody-else with 2147/)
    assert.throws(() => memoryMap(undefined, 0x80001000), /a machine that it does not name/)
  })
})
