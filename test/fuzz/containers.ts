// SPDX-License-Identifier: GPL-2.0-or-later
// Fuzz targets: whole files of every format that the builders can write.
import assert from 'node:assert/strict'
import { bytesAsFile } from '../../core/dump/file.ts'
import { openPages } from '../../core/dump/open.ts'
import { buildElf } from '../build/elf.ts'
import { buildFlat, cutIntoRecords } from '../build/flat.ts'
import { buildKdump } from '../build/kdump.ts'
import { patterned } from '../build/pages.ts'
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
