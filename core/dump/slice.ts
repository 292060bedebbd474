// SPDX-License-Identifier: GPL-2.0-or-later
// Writes a slice, chosen pages of a dump in a standard file of their own: whole, or not at all.

import { randomUUID } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { DumpError, UsageError } from '../errors.ts'
import { type PageSource } from './format.ts'
import { writeSliceFile, type SliceResult } from './slicefile.ts'

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
