// SPDX-License-Identifier: GPL-2.0-or-later
// A file that no format knows: what can be said of it.

import { printable } from '../bytes/printable.ts'
import { FormatError } from '../errors.ts'
import { type FileBytes } from './file.ts'
import { type DumpFormat } from './format.ts'

const SHOWN_BYTES = 16
const SHOWN_LETTERS = 60
const MIB = 1 << 20
// Logs have colours.
const ESCAPE = '\u001b'
const RAW = "raw memory is opened with {format: 'raw', base: '0x0'}"

/** The error for a file that begins with `head`: what it looks like, and every format that was looked for. */
export function unknownFile(
  file: FileBytes,
  head: Uint8Array,
  formats: readonly DumpFormat[],
): FormatError {
  const looked = formats.map(({ name, looksFor }) => `${name} (${looksFor})`).join(', ')
  const remarks = file.remarks?.map((remark) => `; ${remark}`).join('') ?? ''
  return new FormatError(
    `${file.name} is no dump that is known here: ${look(file, head)}; looked for ${looked}${remarks}`,
    'signature',
    0,
  )
}

function look(file: FileBytes, head: Uint8Array): string {
  if (file.size === 0) return 'it is empty'
  const empty = zeros(file)
  if (empty > 0) {
    const where = empty === file.size ? `its ${empty} bytes are` : 'its first MiB is'
    return `${where} all zeros, as of a copy that is not finished; look whether it is still written, or copy it again`
  }
  const text = textOf(head)
  if (text !== undefined) {
    const line = printable(text.trimStart().split('\n', 1)[0] ?? '', SHOWN_LETTERS)
    return /^(<\d+>)?\[ *\d+\.\d+\]/.test(line)
      ? `it is the log of a kernel, '${line}'; the dump should lie beside it`
      : `it is a text, '${line}'`
  }
  const first = Array.from(head.subarray(0, SHOWN_BYTES), (byte) =>
    byte.toString(16).padStart(2, '0'),
  )
  return `it begins with ${first.join(' ')}; ${RAW}`
}

// How many bytes from the start were found to be zeros: all that were looked at, or none.
function zeros(file: FileBytes): number {
  const length = Math.min(file.size, MIB)
  return file.read(0, length, 'the first MiB').every((byte) => byte === 0) ? length : 0
}

// Undefined when the bytes are no text. The last letter may be cut.
function textOf(head: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true })
    return /\p{Cc}/u.test(text.replace(/[\t\n\r\f\v]/g, '').replaceAll(ESCAPE, ''))
      ? undefined
      : text
  } catch {
    return undefined
  }
}
