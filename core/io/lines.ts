// SPDX-License-Identifier: GPL-2.0-or-later
// Lines of a text that comes in pieces, as ranges of bytes, with their numbers.

import { FormatError } from '../errors.ts'
import { type ByteSource } from './source.ts'

/** One line, without its end. The bytes are good until the next line is asked for. */
export interface Line {
  readonly bytes: Uint8Array
  readonly from: number
  readonly to: number
  /** From 1 on. */
  readonly number: number
  /** How many bytes of the file are behind us. */
  readonly bytesRead: number
}

/** A line that is longer is no line of addresses. */
const MOST_LINE = 1 << 20

const NEWLINE = 0x0a
const QUOTE = 0x22

/**
 * The lines of a text, empty ones too, with a carriage return at their end if they have one. With `quoted`, a newline
 * between quotes (") belongs to the line.
 */
export async function* linesOf(source: ByteSource, quoted = false): AsyncGenerator<Line[]> {
  let rest = new Uint8Array(0)
  let number = 1
  let bytesRead = 0
  for await (const piece of source.pieces) {
    const bytes = rest.length === 0 ? piece : joined(rest, piece)
    const lines: Line[] = []
    let start = bytesRead === 0 && isMark(bytes) ? 3 : 0
    bytesRead += piece.length
    for (;;) {
      const end = endOf(bytes, start, quoted)
      if (end < 0) break
      lines.push({ bytes, from: start, to: end, number, bytesRead })
      number += quoted ? 1 + newlinesIn(bytes, start, end) : 1
      start = end + 1
    }
    if (bytes.length - start > MOST_LINE) {
      throw new FormatError(
        `line ${number} of ${source.name} has more than 1 MiB: this is no text of addresses`,
        'line',
        number,
      )
    }
    rest = bytes.slice(start)
    yield lines
  }
  if (rest.length > 0) yield [{ bytes: rest, from: 0, to: rest.length, number, bytesRead }]
}

/** The offset of the newline that ends a line, or -1. */
function endOf(bytes: Uint8Array, start: number, quoted: boolean): number {
  let end = bytes.indexOf(NEWLINE, start)
  if (!quoted) return end
  let isOpen = false
  let from = start
  while (end >= 0) {
    for (let at = from; at < end; at++) if (bytes[at] === QUOTE) isOpen = !isOpen
    if (!isOpen) return end
    from = end
    end = bytes.indexOf(NEWLINE, end + 1)
  }
  return -1
}

function newlinesIn(bytes: Uint8Array, from: number, to: number): number {
  let count = 0
  for (let at = from; at < to; at++) if (bytes[at] === NEWLINE) count++
  return count
}

/** The mark of UTF-8 at the start of a file. */
function isMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(a.length + b.length)
  bytes.set(a)
  bytes.set(b, a.length)
  return bytes
}
