// SPDX-License-Identifier: GPL-2.0-or-later
// Opens a dump by what its bytes say: the table of formats, in probe order.

import { FormatError } from '../errors.ts'
import { elf } from './elf.ts'
import { openFile, type FileBytes } from './file.ts'
import { type DumpFormat, type PageSource } from './format.ts'
import { diskdump, kdump } from './kdump.ts'

/** The formats in the order in which they are asked. A new one is a file and a line here. */
export const formats: readonly DumpFormat[] = [kdump, diskdump, elf]

const HEAD_BYTES = 64 << 10
const SHOWN_BYTES = 16

/**
 * Opens a dump: a path, or bytes from elsewhere. The content decides on the format, never the name.
 * Throws FormatError when no format knows it, and then names all that were looked for.
 */
export function openPages(dump: string | FileBytes): PageSource {
  const file = typeof dump === 'string' ? openFile(dump) : dump
  try {
    const head = file.read(0, Math.min(HEAD_BYTES, file.size), 'the first bytes')
    const format = formats.find((one) => one.probe(head))
    if (format === undefined) throw unknown(file, head)
    return format.open(file)
  } catch (error) {
    if (typeof dump === 'string') file.close()
    throw error
  }
}

function unknown(file: FileBytes, head: Uint8Array): FormatError {
  const looked = formats.map(({ name, looksFor }) => `${name} (${looksFor})`).join(', ')
  const first = Array.from(head.subarray(0, SHOWN_BYTES), (byte) =>
    byte.toString(16).padStart(2, '0'),
  )
  const found = first.length === 0 ? 'it is empty' : `it begins with ${first.join(' ')}`
  return new FormatError(
    `${file.name} is no dump that is known here: ${found}; looked for ${looked}`,
    'signature',
    0,
  )
}
