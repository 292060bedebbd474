// SPDX-License-Identifier: GPL-2.0-or-later
// Writes a slice, chosen pages of a dump in a standard file of their own: whole, or not at all.

import { randomUUID } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { parseAddress } from '../bytes/hex.ts'
import { DumpError, UsageError } from '../errors.ts'
import { PAGE_SIZE, type PageSource } from './format.ts'
import { writeSliceFile, type SliceResult } from './slicefile.ts'

/** Physical memory of the host: `length` bytes from `hpa`, an address in hex text or as a number. */
export interface HpaRange {
  readonly hpa: number | bigint | string
  readonly length: number
}

/** More frames than a slice is meant for: 64 GiB. */
const MAX_FRAMES = 1 << 24

/**
 * The frames of a list of frame numbers and ranges of physical memory; a page that is in a range in part is whole.
 * Throws UsageError for what is neither, and for more than 16 million.
 */
export function* framesOf(pages: Iterable<number | HpaRange>): Generator<number> {
  let left = MAX_FRAMES
  for (const page of pages) {
    const [from, to] = typeof page === 'number' ? [page, page + 1] : framesOfRange(page)
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from < 0) {
      throw new UsageError(
        `a slice's pages are frame numbers or {hpa, length}: ${typeof page === 'number' ? page : `{hpa: ${page.hpa}, length: ${page.length}}`} is neither`,
      )
    }
    left -= Math.max(0, to - from)
    if (left < 0) throw new UsageError(`a slice has at most ${MAX_FRAMES} pages: choose fewer`)
    for (let pfn = from; pfn < to; pfn++) yield pfn
  }
}

function framesOfRange({ hpa, length }: HpaRange): [from: number, to: number] {
  const start = Number(parseAddress(hpa) ?? NaN)
  if (!(length > 0)) return [NaN, NaN]
  return [Math.floor(start / PAGE_SIZE), Math.ceil((start + length) / PAGE_SIZE)]
}

/** How a slice is written. */
export interface SliceOptions {
  /** Replace a file that is there. Without it, that is an error. */
  readonly overwrite?: boolean
}

/**
 * Writes the given frames of a source, in any order, to `path`: kdump-compressed, version 6, zlib, which crash and drgn
 * open too. Notes, VMCOREINFO, the host's name and the dump level are kept, and so is the map of which memory exists:
 * holes stay holes. Frames that the source does not have are counted, not written.
 * Throws UsageError when the file is there already, DumpError when it cannot be written.
 */
export function writeSlice(
  source: PageSource,
  pfns: Iterable<number>,
  path: string,
  { overwrite = false }: SliceOptions = {},
): SliceResult {
  if (!overwrite && existsSync(path)) {
    throw new UsageError(
      `'${path}' is there already; name a new file, or say that it may be replaced`,
    )
  }
  const temporary = `${path}.${randomUUID()}.part`
  let descriptor: number | undefined
  try {
    descriptor = openSync(temporary, 'wx')
    const result = writeSliceFile(descriptor, source, pfns)
    fsyncSync(descriptor)
    renameSync(temporary, path)
    return result
  } catch (error) {
    if (descriptor !== undefined) rmSync(temporary, { force: true })
    if (error instanceof DumpError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new DumpError('write', `cannot write the slice '${path}': ${reason}`, { cause: error })
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}
