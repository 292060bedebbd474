// SPDX-License-Identifier: GPL-2.0-or-later
// LiME and AVML: memory acquired from a running host, range by range, without notes of any kind.

import { CHUNK_BYTES, ChunkedFile } from '../chunks.ts'
import { type FileBytes } from '../file.ts'
import { type DumpFacts, type DumpFormat, type PageSource } from '../format.ts'
import { AVML_MAGIC, LIME_MAGIC, readBlocks, type Block } from './limeblocks.ts'
import { RangePages } from '../rangepages.ts'
import { UnpackedBlocks } from '../unpacked.ts'

const CHUNKS = (1 << 20) / CHUNK_BYTES
const LIVE = 'such files are taken from running hosts: pages may have changed while it was written'
// avml 0.21 leaves out blocks of 16 MiB that are all zeros, in LiME files too.
const OUTSIDE =
  'no range has it: the host has no memory there, or only zeros, which avml leaves out'

/** LiME's `format=lime`, and AVML without `--compress`. */
export const lime: DumpFormat = {
  name: 'LiME',
  looksFor: "'EMiL' at offset 0",
  probe: (head) => magicOf(head) === LIME_MAGIC,
  open: (file) => openBlocks(file, 'LiME', 1),
}

/** AVML's own format, `avml --compress`: Snappy frames. */
export const avml: DumpFormat = {
  name: 'AVML',
  looksFor: "'AVML' at offset 0",
  probe: (head) => magicOf(head) === AVML_MAGIC,
  open: (file) => openBlocks(file, 'AVML', 2),
}

// AVML's own converter takes both kinds of blocks in one file.
function openBlocks(file: FileBytes, format: string, version: number): PageSource {
  const chunked = new ChunkedFile(file, CHUNKS)
  const { list, stopped } = readBlocks(chunked)
  const isPacked = list.some(({ packed }) => packed)
  const remarks = [LIVE]
  if (stopped !== undefined) remarks.push(`not all of its ranges were found: ${stopped}`)
  if (overlap(list)) remarks.push('ranges overlap: where they do, the one that starts first counts')
  const facts: DumpFacts = {
    format,
    version,
    ...(isPacked ? { codecs: ['snappy'] } : {}),
    remarks,
  }
  if (!isPacked) {
    const ranges = list.map(({ start, end, offset }) => ({ start, end, offset }))
    return new RangePages({ file: chunked, ranges, facts, outside: OUTSIDE, stopped })
  }
  const unpacked = new UnpackedBlocks(chunked, list)
  const ranges = list.map(({ start, end }, i) => ({ start, end, offset: unpacked.starts[i] ?? 0 }))
  return new RangePages({ file: unpacked, ranges, facts, outside: OUTSIDE, stopped })
}

function overlap(list: readonly Block[]): boolean {
  let end = 0
  return [...list]
    .sort((a, b) => a.start - b.start)
    .some((block) => {
      const overlaps = block.start < end
      end = Math.max(end, block.end)
      return overlaps
    })
}

function magicOf(head: Uint8Array): number {
  if (head.length < 4) return 0
  return new DataView(head.buffer, head.byteOffset, 4).getUint32(0, true)
}
