// SPDX-License-Identifier: GPL-2.0-or-later
// CSV (RFC 4180): a line of names, then a line for each row; addresses as `0x…`, or decimal.

import { wordsOf } from '../bytes/words.ts'
import { stateNames } from '../bulk/states.ts'
import { printable } from '../bytes/printable.ts'
import { UsageError } from '../errors.ts'
import { columnIn } from './columns.ts'
import { type AddressBatch, AddressFiller } from './filler.ts'
import { type AddressOptions, type ColumnFormat } from './format.ts'
import { type RowWriter, type ValueOptions } from './format.ts'
import { type Line, linesOf } from './lines.ts'
import { columnNames, type Rows } from './rows.ts'
import { type Sink } from './sink.ts'
import { type ByteSource } from './source.ts'
import { TextRows } from './textrows.ts'

/** What separates fields; the one that the first line has is taken. */
const separators = [',', ';', '\t']
const QUOTE = 0x22

/** Comma-separated values, also with semicolons or tabs where they are read. */
export const csv: ColumnFormat = {
  name: 'csv',
  extensions: ['.csv'],
  isIt: (head) => {
    const lines = new TextDecoder().decode(head.subarray(0, 4096)).split('\n')
    const first = lines.find((line) => !/^\s*(#|$)/.test(line)) ?? ''
    // One column without a name is a text of addresses.
    return /^[^#]*[,;\t]/.test(first) || /^\W*gpa\W*$/.test(first)
  },
  writer: (sink, options) => Promise.resolve(writerOf(sink, options)),
  read,
}

function writerOf(sink: Sink, { decimal = false }: ValueOptions): RowWriter {
  const text = new TextRows(sink)
  const states = stateNames.map((name) => Buffer.from(name, 'latin1'))
  text.ascii(`${columnNames.join(',')}\n`)
  const comma = (): void => {
    text.byte(0x2c)
  }
  return {
    async write(rows: Rows) {
      const addresses = [rows.gpa, rows.hva, rows.hpa].map(wordsOf)
      const offsets = wordsOf(rows.swapOffset)
      for (let i = 0; i < rows.length; i++) {
        for (const column of addresses) {
          text.wide(column, i, decimal ? 'decimal' : 'hex')
          comma()
        }
        text.bytes(states[rows.state[i] ?? 0])
        comma()
        const shift = rows.pageShift[i] ?? 0
        text.whole(shift === 0 ? -1 : 2 ** shift)
        comma()
        text.whole(rows.slot[i] ?? -1)
        comma()
        text.whole(rows.swapType[i] ?? -1)
        comma()
        text.wide(offsets, i, 'decimal')
        text.byte(0x0a)
        if (text.isFull) await text.flush()
      }
      await text.flush()
    },
    end: () => text.flush(),
  }
}

async function* read(
  source: ByteSource,
  { column, radix = 10 }: AddressOptions,
): AsyncGenerator<AddressBatch> {
  const filler = new AddressFiller('line', radix)
  let separator = 0
  let place = -1
  let bytesRead = 0
  for await (const lines of linesOf(source, true)) {
    for (const line of lines) {
      bytesRead = line.bytesRead
      if (place < 0) {
        const head = headOf(line)
        separator = head.separator
        checkNames(head.fields, source.name)
        place = columnIn(head.fields, column, source.name)
      } else if (!isEmpty(line)) {
        const [from, to] = fieldOf(line, separator, place)
        filler.text(line.bytes, from, to, line.number)
        if (filler.isFull) yield filler.take(bytesRead)
      }
    }
  }
  if (filler.count > 0) yield filler.take(bytesRead)
}

function headOf({ bytes, from, to }: Line): { fields: string[]; separator: number } {
  const text = new TextDecoder().decode(bytes.subarray(from, to)).replace(/\r$/, '')
  const separator = separators.find((one) => text.includes(one)) ?? ','
  const fields = text.split(separator).map((field) => field.trim().replace(/^"(.*)"$/, '$1'))
  return { fields, separator: separator.charCodeAt(0) }
}

/** A file without names would lose its first row. */
function checkNames(fields: readonly string[], file: string): void {
  if (!fields.every((field) => /^(0x[0-9a-f]*|[0-9.]*)$/i.test(field))) return
  throw new UsageError(
    `the first line of ${file} has no names of columns, but ${fields.map((field) => printable(field)).join(', ')}: put names above it`,
  )
}

/** Where a field lies, without its quotes; nowhere when the line is too short. */
function fieldOf({ bytes, from, to }: Line, separator: number, place: number): [number, number] {
  let field = 0
  let start = from
  let isOpen = false
  for (let at = from; at <= to; at++) {
    const byte = at === to ? separator : bytes[at]
    if (byte === QUOTE) isOpen = !isOpen
    if (byte !== separator || (isOpen && at < to)) continue
    if (field++ === place) {
      const end = bytes[at - 1] === 0x0d && at === to ? at - 1 : at
      const isQuoted = bytes[start] === QUOTE && bytes[end - 1] === QUOTE && end - start > 1
      return isQuoted ? [start + 1, end - 1] : [start, end]
    }
    start = at + 1
  }
  return [to, to]
}

function isEmpty({ bytes, from, to }: Line): boolean {
  return to === from || (to === from + 1 && bytes[from] === 0x0d)
}
