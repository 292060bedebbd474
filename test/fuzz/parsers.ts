// SPDX-License-Identifier: GPL-2.0-or-later
// Fuzz targets: what is read out of a dump by itself, thousands of inputs a second.
import { deflateSync } from 'node:zlib'
import { codecs, decode } from '../../core/codec/index.ts'
import { ElfFile } from '../../core/debug/elffile.ts'
import { readSystemMap } from '../../core/debug/systemmap.ts'
import { bytesAsFile } from '../../core/dump/file.ts'
import { parseNotes, writeNotes } from '../../core/dump/notes.ts'
import { qemuCpus } from '../../core/dump/qemu/qemunote.ts'
import { mce } from '../../core/mce/mce.ts'
import { scan } from '../../core/paging/scan.ts'
import { walk } from '../../core/paging/walk.ts'
import { readBtf } from '../../core/types/btf.ts'
import { declareStructs } from '../../core/types/declare.ts'
import { parseVmcoreinfo } from '../../core/vmcoreinfo/parse.ts'
import { BtfBuilder } from '../build/btf.ts'
import { debugElf } from '../build/debugelf.ts'
import { zstdFrame } from '../build/kdump.ts'
import { lz4Block, lzoBlock, snappyBlock } from '../build/lz.ts'
import { patterned } from '../build/pages.ts'
import { type FuzzTarget } from './target.ts'
import { rulesOfToday } from '../build/pagetable.ts'

const page = patterned([7]).get(7) ?? new Uint8Array(4096)

/** One good block of each codec that has an encoder here. */
const blocks: readonly (readonly [codec: string, block: Uint8Array])[] = [
  ['zlib', deflateSync(page)],
  ['zstd', zstdFrame(page)],
  ['lzo', lzoBlock(page)],
  // lzo-rle: a first byte of 17 and version 1 in front of the same instructions.
  ['lzo-rle', Uint8Array.from([17, 1, ...lzoBlock(page)])],
  ['snappy', snappyBlock(page)],
  ['lz4', lz4Block(page)],
]

function codecTarget(name: string, seed: Uint8Array): FuzzTarget {
  const codec = codecs.get(name)
  if (codec === undefined) throw new Error(`no codec ${name}`)
  const read = (bytes: Uint8Array): boolean => decode(codec, bytes, 4096).length === 4096
  return {
    name: `a block of ${name}`,
    seed,
    dense: [0],
    cost: 1,
    checksummed: name === 'zlib',
    read,
  }
}

const text = [
  'OSRELEASE=6.12.0-test',
  'PAGESIZE=4096',
  'SYMBOL(init_uts_ns)=ffffffff82a14c20',
  'NUMBER(phys_base)=-599785472',
  'OFFSET(list_head.next)=0',
  'KERNELOFFSET=2c000000',
].join('\n')

const log = [
  'mce: [Hardware Error]: CPU 4: Machine Check Exception: 5 Bank 1: bd80000000100134',
  'mce: [Hardware Error]: TSC 4c2f1 ADDR 61c00040 MISC 86',
  'mce: [Hardware Error]: PROCESSOR 0:50654 TIME 1519356496 SOCKET 0 APIC 8',
  'Memory failure: 0x61c00: recovery action for dirty LRU page: Recovered',
].join('\n')

/** Structures that hold and point at each other. */
function btf(): Uint8Array {
  const b = new BtfBuilder()
  const int = b.int('int', 4, { signed: true })
  const long = b.int('long unsigned int', 8)
  const list = b.nextId
  b.struct('list_head', 16, [
    { name: 'next', type: list + 1, bits: 0 },
    { name: 'prev', type: list + 1, bits: 64 },
  ])
  b.pointer(list)
  const either = b.union('', 8, [
    { name: 'id', type: int, bits: 0 },
    { name: 'whole', type: long, bits: 0 },
  ])
  b.struct('kvm', 40, [
    { name: 'vm_list', type: list, bits: 0 },
    { name: '', type: either, bits: 128 },
    { name: 'words', type: b.array(long, 2), bits: 192 },
  ])
  b.enum('state', { OFF: 0, ON: 1 })
  return b.blob()
}

const vmlinux = {
  buildId: '9bcfc2361bcccd68de7f4941e069bb6910665236',
  btf: btf(),
  banner: 'Linux version 6.12.0-test (builder) #1 SMP',
  modinfo: ['name=kvm', 'vermagic=6.12.0-test SMP'],
  symbols: ['_stext', 'init_task', 'init_uts_ns', 'swapper_pg_dir'].map(
    (name, i) => [name, 0xffffffff81000000n + BigInt(i) * 0x1000n] as const,
  ),
}

function readTypes(bytes: Uint8Array): boolean {
  const types = readBtf(bytes, 'damaged')
  for (const name of ['list_head', 'kvm']) types.struct(name)?.member('vm_list.next')
  return declareStructs(types, { module: './view.js', roots: ['kvm'] }).length > 0
}

const tableCount = 8

/** Eight tables of which each may point at each: the last level's entries become tables and pages by damage. */
function tables(): Uint8Array {
  const bytes = new Uint8Array(tableCount * 4096)
  const view = new DataView(bytes.buffer)
  for (let table = 0; table < tableCount; table++) {
    for (let entry = 0; entry < 512; entry += 3) {
      const next = ((table + 1) % tableCount) * 4096
      view.setBigUint64(table * 4096 + entry * 8, BigInt(next) | 0x67n, true)
    }
  }
  return bytes
}

function walkAll(bytes: Uint8Array): boolean {
  const memory = {
    tryPage: (pfn: number) =>
      pfn >= 0 && (pfn + 1) * 4096 <= bytes.length
        ? bytes.subarray(pfn * 4096, (pfn + 1) * 4096)
        : ({ why: 'hole', detail: 'no memory' } as const),
  }
  for (const address of [0n, 0x7f1234567000n, 0xffff888000000000n])
    walk(memory, rulesOfToday, 0, address)
  let seen = 0
  scan(memory, rulesOfToday, 0, 0, 1 << 20, (_vpn, count) => (seen += count))
  return seen > 0
}

/** The state of a processor, version 1, 440 bytes. */
function qemuNote(): Uint8Array {
  const bytes = new Uint8Array(440).fill(3)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 1, true)
  view.setUint32(4, bytes.length, true)
  return bytes
}

/** One target for each parser. */
export const parsers: readonly FuzzTarget[] = [
  ...blocks.map(([name, block]) => codecTarget(name, block)),
  {
    name: 'a block of notes',
    seed: writeNotes([
      { name: 'CORE', type: 1, desc: new Uint8Array(336).fill(7) },
      { name: 'VMCOREINFO', type: 0, desc: new TextEncoder().encode(text) },
    ]).bytes,
    dense: [0, 356],
    cost: 1,
    read: (bytes) => parseNotes(bytes).notes.length > 0,
  },
  {
    name: 'the log of a machine check',
    seed: new TextEncoder().encode(log),
    dense: [0],
    cost: 1,
    read: (bytes) => mce(new TextDecoder().decode(bytes)).length > 0,
  },
  {
    name: 'a note of QEMU',
    seed: qemuNote(),
    dense: [0],
    cost: 1,
    read: (desc) => qemuCpus([{ name: 'QEMU', type: 0, desc }]).cpus.length > 0,
  },
  {
    name: 'the text of VMCOREINFO',
    seed: new TextEncoder().encode(text),
    dense: [],
    cost: 1,
    read: (bytes) => {
      const parsed = parseVmcoreinfo(new TextDecoder().decode(bytes))
      parsed.symbol('init_uts_ns')
      parsed.number('phys_base')
      return parsed.release !== ''
    },
  },
  {
    name: 'an ELF file of a kernel',
    seed: debugElf(vmlinux),
    dense: [0, 40, debugElf(vmlinux).length - 448],
    cost: 1,
    read: (bytes) => {
      const elf = new ElfFile(bytesAsFile('vmlinux', bytes))
      const { buildId, banner, hasDwarf } = elf
      const types = elf.section('.BTF')
      if (types !== undefined) readTypes(elf.bytes(types, 1 << 20))
      const symbols = elf.symbols()?.movedBy(0x2000000n)
      symbols?.nearest(0xffffffff83000090n)
      return [buildId, banner, hasDwarf, symbols].some((found) => found !== undefined)
    },
  },
  {
    name: 'System.map',
    seed: Buffer.from(
      vmlinux.symbols.map(([name, address]) => `${address.toString(16)} T ${name}\n`).join(''),
    ),
    dense: [],
    cost: 1,
    read: (bytes) => readSystemMap(bytesAsFile('System.map', bytes)).count > 0,
  },
  { name: 'BTF', seed: btf(), dense: [0, 24], cost: 1, read: readTypes },
  { name: 'page tables', seed: tables(), dense: [0, 4096, 8192], cost: 20, read: walkAll },
]
