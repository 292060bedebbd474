// SPDX-License-Identifier: GPL-2.0-or-later
// A real dump written again by the tests' own writers: formats and codecs that makedumpfile does not write.

import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { PAGE_SIZE } from '../../core/dump/format.ts'
import { openPages } from '../../core/dump/open.ts'
import { type RawRange } from '../../core/index.ts'
import { buildKdump, type KdumpCodec } from '../build/kdump.ts'
import { buildLime } from '../build/lime.ts'

/** Frames that follow each other, with their content. */
interface Run {
  readonly pfn: number
  readonly pages: Uint8Array[]
}

function runsOf(path: string): Run[] {
  const source = openPages(path)
  const runs: Run[] = []
  let last: Run | undefined
  for (let pfn = 0; pfn < source.endPfn; pfn++) {
    const page = source.page(pfn)
    if (!(page instanceof Uint8Array)) continue
    if (last === undefined || last.pfn + last.pages.length !== pfn) {
      last = { pfn, pages: [] }
      runs.push(last)
    }
    last.pages.push(page.slice())
  }
  source.close()
  return runs
}

/** The same pages and notes as a kdump-compressed file by another codec. */
export function writeKdump(original: string, path: string, codec: KdumpCodec): void {
  const source = openPages(original)
  const pages = new Map(
    runsOf(original).flatMap(({ pfn, pages: all }) =>
      all.map((page, i) => [pfn + i, page] as const),
    ),
  )
  const { notes, endPfn } = source
  writeFileSync(path, buildKdump({ codec, pages, notes, endPfn }).bytes)
  source.close()
}

/** The same pages as LiME writes them, or packed as AVML does: without notes, so the kernel must be found. */
export function writeLime(original: string, path: string, packed: boolean): void {
  const blocks = runsOf(original).map(({ pfn, pages }) => ({
    start: pfn * PAGE_SIZE,
    data: Buffer.concat(pages),
    packed,
  }))
  writeFileSync(path, buildLime(blocks))
}

/** The same pages one behind the other, without any header, and where each run belongs. */
export function writeRaw(original: string, path: string): RawRange[] {
  const file = openSync(path, 'wx')
  let offset = 0
  const ranges = runsOf(original).map(({ pfn, pages }) => {
    const range = { offset, start: pfn * PAGE_SIZE, length: pages.length * PAGE_SIZE }
    for (const page of pages) offset += writeSync(file, page)
    return range
  })
  closeSync(file)
  return ranges
}
