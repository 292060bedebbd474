// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses out of the log of a memory error, with what each is.

import { hex } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { type MceAddress } from '../mce/finding.ts'
import { type Block, type View, type ViewOptions } from './block.ts'
import { count, has, left, right, rowsOf } from './table.ts'
import { textOf } from './text.ts'

/** True for one address of a log. */
export function isMceAddress(value: object): value is MceAddress {
  return has(value, 'hpa', 'trust', 'reason', 'source', 'bank', 'status', 'line')
}

/** The addresses in the order of the log. */
export function mceView(found: readonly MceAddress[], options: ViewOptions = {}): View {
  const rule = { most: 40, head: 30, tail: 10, all: 'show(mce(text), { rows: Infinity })' }
  const lines = new Set(found.map(({ line }) => line)).size
  const blocks: Block[] = [
    {
      kind: 'table',
      caption: `${found.length === 1 ? '1 address' : `${found.length} addresses`} in ${count(lines, 'line')}`,
      remark: null,
      columns: [right('line'), left('from'), right('hpa'), left('is it one?'), left('why')],
      ...rowsOf(found, rule, options, ({ line, source, hpa, trust, reason }) => [
        line.toString(),
        source,
        hpa === null ? null : hex(hpa),
        trust,
        printable(reason, 300),
      ]),
    },
  ]
  return { text: textOf(blocks), blocks, charts: [] }
}
