// SPDX-License-Identifier: GPL-2.0-or-later
// JSON lines: an object for each row, with every name in each; addresses as `0x…` texts.

import { wordsOf } from '../bytes/words.ts'
import { stateNames } from '../bulk/states.ts'
import { UsageError } from '../errors.ts'
import { columnIn } from './columns.ts'
import { type AddressBatch, AddressFiller } from './filler.ts'
import { type AddressOptions, type ColumnFormat, type RowWriter } from './format.ts'
import { linesOf } from './lines.ts'
import { columnNames, type Rows } from './rows.ts'
import { type Sink } from './sink.ts'
import { type ByteSource } from './source.ts'
import { TextRows } from './textrows.ts'

/** Objects, one a line. */
export const jsonl: ColumnFormat = {
  name: 'jsonl',
  extensions: ['.jsonl', '.ndjson'],
  // Names in quotes are CSV.
  isIt: (head) => /^\s*(\{|"0x)/.test(new TextDecoder().decode(head.subarray(0, 64))),
  writer: (sink) => Promise.resolve(writerOf(sink)),
  read,
}

/** What stands before each value. */
const labels = columnNames.map((name, i) => Buffer.from(`${i === 0 ? '{' : ','}"${name}":`))
const none = Buffer.from('null')
const lineEnd = Buffer.from('}\n')

function writerOf(sink: Sink): RowWriter {
  const text = new TextRows(sink)
  const states = stateNames.map((name) => Buffer.from(`"${name}"`))
  const address = (halves: Uint32Array | undefined, i: number): void => {
    if (halves === undefined || isNone(halves, i)) {
      text.bytes(none)
      return
    }
    text.byte(0x22)
    text.wide(halves, i, 'hex')
    text.byte(0x22)
  }
  const whole = (value: number): void => {
    if (!text.whole(value)) text.bytes(none)
  }
  return {
    async write(rows: Rows) {
      const [gpa, hva, hpa, offset] = [rows.gpa, rows.hva, rows.hpa, rows.swapOffset].map(wordsOf)
      for (let i = 0; i < rows.length; i++) {
        text.bytes(labels[0])
        address(gpa, i)
        text.bytes(labels[1])
        address(hva, i)
        text.bytes(labels[2])
        address(hpa, i)
        text.bytes(labels[3])
        text.bytes(states[rows.state[i] ?? 0])
        text.bytes(labels[4])
        const shift = rows.pageShift[i] ?? 0
        whole(shift === 0 ? -1 : 2 ** shift)
        text.bytes(labels[5])
        whole(rows.slot[i] ?? -1)
        text.bytes(labels[6])
        whole(rows.swapType[i] ?? -1)
        text.bytes(labels[7])
        if (offset === undefined || !text.wide(offset, i, 'decimal')) text.bytes(none)
        text.bytes(lineEnd)
        if (text.isFull) await text.flush()
      }
      await text.flush()
    },
    end: () => text.flush(),
  }
}

function isNone(halves: Uint32Array, i: number): boolean {
  return halves[2 * i] === 0xffffffff && halves[2 * i + 1] === 0xffffffff
}

async function* read(
  source: ByteSource,
  { column, radix = 10 }: AddressOptions,
): AsyncGenerator<AddressBatch> {
  const filler = new AddressFiller('line', radix)
  const decoder = new TextDecoder()
  let bytesRead = 0
  let name: string | undefined
  for await (const lines of linesOf(source)) {
    for (const line of lines) {
      bytesRead = line.bytesRead
      const text = decoder.decode(line.bytes.subarray(line.from, line.to)).trim()
      if (text === '') continue
      const value = parsed(text)
      if (isObject(value)) {
        name ??= nameIn(value, column, source.name)
        filler.value(value[name], line.number)
      } else {
        // A line that is no JSON is told as it is.
        filler.value(value, line.number)
      }
      if (filler.isFull) yield filler.take(bytesRead)
    }
  }
  if (filler.count > 0) yield filler.take(bytesRead)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function nameIn(
  value: Readonly<Record<string, unknown>>,
  column: string | undefined,
  file: string,
): string {
  const names = Object.keys(value)
  const found = names[columnIn(names, column, file)]
  if (found === undefined) throw new UsageError(`the first object of ${file} is empty`)
  return found
}
