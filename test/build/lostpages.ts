// SPDX-License-Identifier: GPL-2.0-or-later
// Takes pages out of dumps that are there: of a source of pages, and of a kdump file.

import { readFileSync, writeFileSync } from 'node:fs'
import { type Missing, type PageSource } from '../../core/dump/format.ts'

const BLOCK = 4096
const DESCRIPTOR = 24

/** The pages of a source without some, which are as if makedumpfile had left them out. */
export function withoutPages(source: PageSource, lost: ReadonlySet<number>): PageSource {
  const missing = (pfn: number): Missing => ({
    why: 'excluded',
    detail: `makedumpfile did not save the page (test: frame ${pfn.toString(16)} was taken away)`,
  })
  return {
    facts: source.facts,
    endPfn: source.endPfn,
    notes: source.notes,
    vmcoreinfo: source.vmcoreinfo,
    page: (pfn) => (lost.has(pfn) ? missing(pfn) : source.page(pfn)),
    exists: (pfn) => source.exists?.(pfn) ?? true,
    close: () => undefined,
  }
}

/**
 * Writes a kdump-compressed file (version 6, not split) without some of its pages: their bits in the bitmap of saved
 * pages are cleared and their descriptors taken out, as makedumpfile would have it. The data stay where they are.
 */
export function writeWithoutPages(from: string, to: string, lost: ReadonlySet<number>): void {
  const file = readFileSync(from)
  const subBlocks = file.readInt32LE(432)
  const bitmapBlocks = file.readUInt32LE(436)
  const bitmapBytes = (BLOCK * bitmapBlocks) / 2
  const bitmapAt = BLOCK * (1 + subBlocks) + bitmapBytes
  const descAt = BLOCK * (1 + subBlocks + bitmapBlocks)
  let read = 0
  let kept = 0
  for (let byte = 0; byte < bitmapBytes; byte++) {
    for (let bit = 0; bit < 8; bit++) {
      const bits = file[bitmapAt + byte] ?? 0
      if (((bits >> bit) & 1) === 0) continue
      if (lost.has(byte * 8 + bit)) {
        file[bitmapAt + byte] = bits & ~(1 << bit)
      } else {
        const desc = descAt + DESCRIPTOR * read
        file.copy(file, descAt + DESCRIPTOR * kept, desc, desc + DESCRIPTOR)
        kept++
      }
      read++
    }
  }
  file.fill(0, descAt + DESCRIPTOR * kept, descAt + DESCRIPTOR * read)
  writeFileSync(to, file)
}

/** Page frame numbers as a list of hex lines; lines that begin with # are remarks. */
export function readPfns(path: string): Set<number> {
  const lines = readFileSync(path, 'utf8').split('\n')
  const pfns = lines.filter((line) => /^[0-9a-f]+$/.test(line)).map((line) => parseInt(line, 16))
  return new Set(pfns)
}
