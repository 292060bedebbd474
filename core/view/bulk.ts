// SPDX-License-Identifier: GPL-2.0-or-later
// A bulk translation: its first and last rows, how many rows are in which state, and that as a chart.

import { type TranslationRow, TranslationTable } from '../bulk/table.ts'
import { type RowState } from '../bulk/states.ts'
import { formatSize, hex } from '../bytes/hex.ts'
import { type Bar, type Block, type Cell, type View, type ViewOptions } from './block.ts'
import { percent, shareBarsOf, tallyOf } from './sharebars.ts'
import { count, left, right, shownOf } from './table.ts'
import { textOf } from './text.ts'
import { toneOf, type Tone } from './tone.ts'

/** More rows than this make a notebook that nobody can open. */
const MOST_ROWS = 10_000

/** True for the result of a bulk translation. */
export function isTable(value: object): value is TranslationTable {
  return value instanceof TranslationTable
}

/** Counts are over all rows, also those that are cut. The chart is made when it is asked for. */
export function bulkView(table: TranslationTable, options: ViewOptions = {}): View {
  const rule = { most: 10, head: 5, tail: 3, all: 'show(table, { rows: 100 })' }
  const most = options.rows === undefined ? {} : { rows: Math.min(options.rows, MOST_ROWS) }
  const { shown, cut } = shownOf(table.length, rule, most)
  const blocks: Block[] = [
    {
      kind: 'table',
      caption: count(table.length, 'translation'),
      remark: null,
      columns: [
        ...['row', 'gpa', 'hva', 'hpa'].map(right),
        right('page'),
        left('state'),
        right('slot'),
      ],
      rows: shown.flatMap((i) => {
        const row = table.row(i)
        return row === undefined ? [] : [cellsOf(row)]
      }),
      cut,
    },
  ]
  if (table.length > 0) {
    const fields = [{ name: 'states', value: barOf(table) }]
    blocks.push({ kind: 'fields', caption: null, fields })
  }
  return {
    text: textOf(blocks),
    blocks,
    get charts() {
      return table.length === 0 ? [] : [shareBarsOf(table)]
    },
  }
}

function cellsOf({ index, gpa, hva, hpa, pageSize, state, slot }: TranslationRow): Cell[] {
  const address = (value: bigint | null) => (value === null ? null : hex(value))
  return [
    index.toString(),
    address(gpa),
    address(hva),
    address(hpa),
    pageSize === null ? null : formatSize(pageSize),
    { text: state, tone: rowTone(state, pageSize) },
    slot === null ? null : slot.toString(),
  ]
}

/** What is no address has no memory either. */
function rowTone(state: RowState, pageSize: number | null): Tone {
  return state === 'invalid' ? 'hole' : toneOf(state, pageSize)
}

/** The states by their own names, so that nothing is hidden behind a colour that two of them share. */
function barOf(table: TranslationTable): Bar {
  const groups = table.groupBy('state', 'pageSize')
  const pieces = tallyOf(groups).map(({ tone, count: rows }) => ({
    tone,
    share: rows / table.length,
  }))
  const words = Object.entries(table.states).map(
    ([state, rows]) => `${state} ${rows.toLocaleString('en-US')} (${percent(rows / table.length)})`,
  )
  return { bar: pieces, text: words.join(', ') }
}
