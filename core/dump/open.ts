// SPDX-License-Identifier: GPL-2.0-or-later
// Opens a dump by what its bytes say: the table of formats, in probe order.

import { existsSync, realpathSync } from 'node:fs'
import { UsageError } from '../errors.ts'
import { elf } from './elf/elf.ts'
import { type FileBytes, openFile } from './file.ts'
import { FlatFile, flatInFlat, isFlat } from './flat/flat.ts'
import { type DumpFormat, type PageSource } from './format.ts'
import { diskdump, kdump, openKdump } from './kdump/kdump.ts'
import { libvirtSave } from './qemu/libvirtsave.ts'
import { avml, lime } from './lime/lime.ts'
import { named } from './named.ts'
import { isPipe, openPipe } from './pipe.ts'
import { qevm } from './qemu/qevm.ts'
import { asksForRaw, openRaw, type RawOptions } from './raw.ts'
import { unknownFile } from './unknown.ts'

/** The formats in the order in which they are asked. A new one is a file and a line here. */
export const formats: readonly DumpFormat[] = [kdump, diskdump, elf, lime, avml, qevm, libvirtSave]

const HEAD_BYTES = 64 << 10

/**
 * Opens a dump: a path, several paths (the parts of a split dump, in any order), or bytes from elsewhere. The content
 * decides on the format, never the name, and only raw memory is asked for by `options`; a flattened file is read as its
 * target. A pipe is read to its end first.
 * Throws UnsupportedError for files that are known, but no dumps, with the command that helps; FormatError when no
 * format knows it, and then names all that were looked for.
 */
export function openPages(
  dump: string | readonly string[] | FileBytes,
  options: RawOptions = {},
): PageSource {
  const raw = asksForRaw(options) ? options : undefined
  if (typeof dump === 'string') return openPaths([dump], raw)
  return 'read' in dump ? openOne(dump, raw) : openPaths(dump, raw)
}

function openPaths(paths: readonly string[], raw: RawOptions | undefined): PageSource {
  const files: FileBytes[] = []
  try {
    for (const path of paths) {
      refuseTwice(paths, path)
      files.push(isPipe(path) ? openPipe(path) : openFile(path))
    }
    const [file, another] = files
    if (file === undefined) throw new UsageError('no dump given: an empty list of paths')
    if (another === undefined) return openOne(file, raw)
    if (raw !== undefined) throw new UsageError('raw memory is one file: give one path')
    return openKdump(files.map(unflattened).map(checkKdump))
  } catch (error) {
    for (const file of files) file.close()
    throw error
  }
}

function openOne(given: FileBytes, raw: RawOptions | undefined): PageSource {
  const file = raw === undefined ? unflattened(given) : given
  const head = headOf(file)
  const format = [...formats, ...named].find((one) => one.probe(head))
  if (raw !== undefined) return openRaw(file, raw, format?.name)
  if (format === undefined) throw unknownFile(file, head, formats)
  return format.open(file)
}

function unflattened(file: FileBytes): FileBytes {
  if (!isFlat(headOf(file))) return file
  const target = new FlatFile(file)
  if (isFlat(headOf(target))) throw flatInFlat(file.name)
  return target
}

function checkKdump(file: FileBytes): FileBytes {
  if (kdump.probe(headOf(file))) return file
  const known = [...formats, ...named].find((one) => one.probe(headOf(file)))
  throw new UsageError(
    `${file.name} is ${known === undefined ? 'no dump that is known here' : `of format ${known.name}`}: several files are opened together as parts of a split kdump-compressed dump only`,
  )
}

function refuseTwice(paths: readonly string[], path: string): void {
  const same = paths.filter((one) => realPath(one) === realPath(path))
  if (same.length < 2) return
  throw new UsageError(`the same part of a split dump is given twice: ${same.join(', ')}`)
}

function realPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : path
}

function headOf(file: FileBytes): Uint8Array {
  return file.read(0, Math.min(HEAD_BYTES, file.size), 'the first bytes')
}
