// SPDX-License-Identifier: GPL-2.0-or-later
// Fuzz targets: whole files of every format that the builders can write.
import assert from 'node:assert/strict'
import { bytesAsFile } from '../../core/dump/file.ts'
import { openPages } from '../../core/dump/open.ts'
import { buildElf } from '../build/elf.ts'
import { buildFlat, cutIntoRecords } from '../build/flat.ts'
import { buildKdump } from '../build/kdump.ts'
import { buildLime } from '../build/lime.ts'
import { patterned } from '../build/pages.ts'
import { blockList, devices, pageOf, ramStart, sectionEnd, streamHead } from '../build/qevm.ts'
import { type FuzzTarget } from './target.ts'

const pfns = [0, 1, 2, 3, 9, 10, 64, 500]
const pages = patterned(pfns, [2, 10])
const desc = new TextEncoder().encode('OSRELEASE=6.12.0-test\n')
const notes = [
  { name: 'CORE', type: 1, desc: new Uint8Array(336).fill(7) },
  { name: 'VMCOREINFO', type: 0, desc },
]
const asked = [...pfns, 4, 63, 511, 70_000, 2 ** 33, 2 ** 40]

/** Opens a file and asks for everything. */
function readAll(bytes: Uint8Array): boolean {
  const source = openPages(bytesAsFile('damaged', bytes))
  for (const pfn of asked) {
    const page = source.page(pfn)
    if (page instanceof Uint8Array) assert.equal(page.length, 4096)
    else assert.notEqual(page.detail, '')
    source.exists?.(pfn)
  }
  return true
}

/** Frames 1 to 19 and 64 on, as LiME writes them, or packed as AVML does. */
function ranges(packed: boolean): Uint8Array {
  const memory = (from: number, count: number): Uint8Array => {
    const frames = Array.from({ length: count }, (_, i) => from + i)
    return new Uint8Array(Buffer.concat([...patterned(frames).values()]))
  }
  return buildLime([
    { start: 4096, data: memory(1, 19), packed },
    { start: 64 * 4096, data: memory(64, 2), packed },
  ])
}

/** A stream of four frames, one of them zeros, with a device behind them. */
function stream(): Uint8Array {
  const out = blockList(ramStart(streamHead('pc-q35-7.2')), [['pc.ram', 0x4000]])
  out.u64(8).name('pc.ram').bytes(pageOf(7))
  out.u64(0x1022).u8(0)
  sectionEnd(out).u8(3).u32(2)
  out.u64(0x2028).bytes(pageOf(9))
  return devices(sectionEnd(out), []).done()
}

/** A save image: 92 bytes of header, 4096 of XML, the stream. */
function saved(): Uint8Array {
  const head = Buffer.alloc(92 + 4096)
  head.write('LibvirtQemudSave')
  for (const [i, word] of [2, 4096, 1, 0, 0].entries()) head.writeUInt32LE(word, 16 + 4 * i)
  const os = "<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>"
  head.write(`<domain type='kvm'><name>db01</name><memory unit='KiB'>16</memory>${os}</domain>`, 92)
  return new Uint8Array(Buffer.concat([head, stream()]))
}

const files: readonly (readonly [name: string, bytes: Uint8Array, dense: readonly number[]])[] = [
  ...[1, 3, 6].flatMap((version) =>
    (['none', 'zlib', 'lzo', 'snappy', 'zstd'] as const).map((codec) => {
      const { bytes, descAt } = buildKdump({ version, codec, pages, notes })
      return [`kdump version ${version}, ${codec}`, bytes, [0, 256, 4096, descAt]] as const
    }),
  ),
  [
    'flattened kdump',
    buildFlat(cutIntoRecords(buildKdump({ codec: 'zlib', pages, notes }).bytes, 700)),
    [0, 4096, 4812],
  ],
  ['LiME', ranges(false), [0, 4096 * 19 + 32]],
  ['AVML', ranges(true), [0, 32]],
  ['a migration stream', stream(), [0, 30]],
  ['a save image of libvirt', saved(), [0, 92, 4188]],
  [
    'ELF',
    buildElf({
      segments: pfns.map((pfn) => ({
        paddr: pfn * 4096,
        data: pages.get(pfn) ?? new Uint8Array(),
      })),
      notes: [notes],
    }),
    [0, 64],
  ],
  [
    'ELF with its number of segments elsewhere',
    buildElf({
      segments: [{ paddr: 0, data: new Uint8Array(5000), memsz: 9000 }],
      xnum: true,
      phoff: 192,
    }),
    [0, 64, 192],
  ],
]

/** One target for each file. */
export const containers: readonly FuzzTarget[] = files.map(([name, seed, dense]) => ({
  name,
  seed,
  dense,
  cost: 1,
  read: readAll,
}))
