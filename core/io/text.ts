// SPDX-License-Identifier: GPL-2.0-or-later
// A text with one address a line, as crash and `vtop -p @FILE` take it. It is only read.

import { type AddressBatch, AddressFiller } from './filler.ts'
import { type AddressOptions, type ColumnFormat } from './format.ts'
import { linesOf } from './lines.ts'
import { type ByteSource } from './source.ts'

const HASH = 0x23
const BLANK = 0x20

/** One address a line; empty lines and what follows a `#` do not count. */
export const text: ColumnFormat = {
  name: 'text',
  extensions: [],
  // What is none of the others.
  isIt: () => true,
  read,
}

async function* read(
  source: ByteSource,
  { radix = 16 }: AddressOptions,
): AsyncGenerator<AddressBatch> {
  const filler = new AddressFiller('line', radix)
  let bytesRead = 0
  for await (const lines of linesOf(source)) {
    for (const line of lines) {
      const { bytes, from, number } = line
      bytesRead = line.bytesRead
      let to = line.to
      let isEmpty = true
      for (let at = from; at < to; at++) {
        const byte = bytes[at] ?? 0
        if (byte === HASH) to = at
        else if (byte > BLANK) isEmpty = false
      }
      if (isEmpty) continue
      filler.text(bytes, from, to, number)
      if (filler.isFull) yield filler.take(bytesRead)
    }
  }
  if (filler.count > 0) yield filler.take(bytesRead)
}
