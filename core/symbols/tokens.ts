// SPDX-License-Identifier: GPL-2.0-or-later
// The 256 tokens of kallsyms: each byte of a compressed name stands for one to several letters.

import { FormatError } from '../errors.ts'

/** `kallsyms_token_index`: 256 offsets of 16 bits (scripts/kallsyms.c). */
export const TOKEN_INDEX_BYTES = 512
/** The offsets are 16 bits wide, and no token is longer than a symbol's name may be (KSYM_NAME_LEN, 512). */
export const MAX_TOKEN_TABLE_BYTES = 65536 + 512

/** The decoded token table. */
export interface Tokens {
  /** The letters of all tokens, each token ended by NUL. */
  readonly letters: Uint8Array
  /** Where each token begins in `letters`. */
  readonly start: Uint16Array
  /** How many letters each token has. */
  readonly length: Uint16Array
  /** A token's letters as text, a byte a letter. */
  text(token: number): string
}

/**
 * Takes the token table apart. `table` may be longer than the tokens are. Throws FormatError unless the index holds the
 * start of every token, one behind the other.
 */
export function readTokens(table: Uint8Array, index: Uint8Array): Tokens {
  const view = new DataView(index.buffer, index.byteOffset, index.length)
  const start = new Uint16Array(256)
  const length = new Uint16Array(256)
  let at = 0
  for (let token = 0; token < 256; token++) {
    const said = index.length >= TOKEN_INDEX_BYTES ? view.getUint16(token * 2, true) : -1
    const end = table.indexOf(0, at)
    if (said !== at || end < 0) {
      throw new FormatError(
        `kallsyms token ${token} should begin at ${at} of the token table, its index says ${said}`,
        'kallsyms_token_index',
        token * 2,
      )
    }
    start[token] = at
    length[token] = end - at
    at = end + 1
  }
  const texts = Buffer.from(table.buffer, table.byteOffset, at).toString('latin1').split('\0')
  return { letters: table, start, length, text: (token) => texts[token] ?? '' }
}
