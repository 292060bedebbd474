// SPDX-License-Identifier: GPL-2.0-or-later
// Text that comes from a dump, made fit to be shown: nothing in it can move the cursor, turn the line or run.

// Control characters, invisible ones, marks that change the direction of writing, and halves of surrogate pairs.
const unfit =
  /[\p{Cc}\p{Cs}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff\u{e0000}-\u{e007f}]/gu
const beyondAscii = /[^ -~]/gu

/**
 * `text` with control characters and direction marks as `\x0a` or `\u202e`, and cut in the middle when it is longer
 * than `limit` letters. Names and paths of a dump are written by whoever ran on that host: all are shown through this.
 */
export function printable(text: string, limit = 64): string {
  return cut(text, limit).replace(unfit, escaped)
}

/** The same for places that take ASCII only: every other letter is escaped, and dots of the cut are three. */
export function printableAscii(text: string, limit = 64): string {
  return cut(text, limit).replaceAll('…', '...').replace(beyondAscii, escaped)
}

/** The start and the end of a long text, with `…` for what lies between: paths differ at their ends. */
function cut(text: string, limit: number): string {
  if (text.length <= limit) return text
  const head = Math.ceil((limit - 1) / 2)
  return `${text.slice(0, head)}…${text.slice(text.length - (limit - 1 - head))}`
}

function escaped(letter: string): string {
  const code = letter.codePointAt(0) ?? 0
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`
  return code <= 0xffff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`
}
