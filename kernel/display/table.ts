// SPDX-License-Identifier: GPL-2.0-or-later
// Any rows as a table.

import { inspect } from 'node:util'
import { type Cell, hex, printable, type TableBlock, textOf } from '../../core/index.ts'
import { Drawn } from './drawn.ts'
import { htmlOf } from './html.ts'

/** How rows are shown. */
export interface TableOptions {
  /** Which columns, in this order; all of the first hundred rows where it is not said. */
  readonly columns?: readonly string[]
  readonly caption?: string
  /** The most rows that are shown; Infinity shows all. */
  readonly rows?: number
}

/** A table of more rows is cut. */
const mostRows = 50
/** Rows from the end that are shown of a cut table. */
const tailRows = 3
/** Rows that are looked at for the names of columns. */
const namingRows = 100

/**
 * Rows as a table: `table(vm.memslots, { columns: ["id", "gpa"] })`. A row is an object, an array, or
 * a pair of a Map; bigints are shown as addresses. More than 50 rows are cut unless `rows` says more.
 */
export function table(rows: Iterable<unknown>, options: TableOptions = {}): Drawn {
  const all = Array.from(rows)
  const names = options.columns ?? columnsOf(all.slice(0, namingRows))
  const most = Math.max(tailRows + 1, options.rows ?? mostRows)
  const hidden = all.length > most ? all.length - most : 0
  const after = most - tailRows
  const shown = hidden === 0 ? all : [...all.slice(0, after), ...all.slice(-tailRows)]
  const total = `${all.length.toLocaleString('en-US')} ${all.length === 1 ? 'row' : 'rows'}`
  const block: TableBlock = {
    kind: 'table',
    caption: options.caption ?? total,
    remark: options.caption === undefined ? null : total,
    columns: names.map((name) => ({
      name: printable(name, 64),
      align: shown.every((row) => isNumber(valueOf(row, name))) ? 'right' : 'left',
    })),
    rows: shown.map((row) => names.map((name) => cellOf(valueOf(row, name)))),
    cut: hidden === 0 ? null : { after, hidden, all: 'table(rows, { rows: Infinity })' },
  }
  const text = textOf([block])
  const bundle = { data: { 'text/html': htmlOf([block]), 'text/plain': text }, metadata: {} }
  return new Drawn(text, () => bundle)
}

function columnsOf(rows: readonly unknown[]): string[] {
  const names = new Set<string>()
  for (const row of rows) {
    for (const name of typeof row === 'object' && row !== null ? Object.keys(row) : ['value']) {
      names.add(name)
    }
  }
  return [...names]
}

/** A row that is no object is its only value. Getters of classes count: that is how dumps give theirs. */
function valueOf(row: unknown, name: string): unknown {
  if (typeof row !== 'object' || row === null) return name === 'value' ? row : undefined
  return Reflect.get(row, name) as unknown
}

function isNumber(value: unknown): boolean {
  return value == null || typeof value === 'number' || typeof value === 'bigint'
}

function cellOf(value: unknown): Cell {
  if (value === undefined || value === null) return null
  if (typeof value === 'bigint') return hex(value)
  if (typeof value === 'string') return printable(value, 120)
  const text = inspect(value, { depth: 1, breakLength: Infinity, maxArrayLength: 8 })
  return printable(text, 120)
}
