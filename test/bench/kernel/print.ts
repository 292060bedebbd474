// SPDX-License-Identifier: GPL-2.0-or-later
// Samples as a table: median and 95th percentile of each kernel, and the ratio of the medians.

/** The name of a row, with what was measured. */
export type Row = string

/** One kernel's samples by row. */
export interface Column {
  readonly name: string
  readonly rows: Map<Row, number[]>
}

/** The median and the 95th percentile. */
export function spread(values: readonly number[]): { median: number; p95: number } {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN
  return { median: at(0.5), p95: at(0.95) }
}

/** Prints one line a row; the unit follows from the row's name. */
export function printTable(columns: readonly Column[]): void {
  const [first, ...others] = columns
  if (first === undefined) return
  const heads = columns.map(({ name }) => name.padStart(28))
  say(
    `\n${'median (95th percentile)'.padEnd(50)}${heads.join('')}${others.map(() => '   ratio').join('')}`,
  )
  for (const [row, values] of first.rows) {
    const cells = columns.map(({ rows }) => figure(row, rows.get(row)).padStart(28))
    const ratios = others.map(({ rows }) => ratio(values, rows.get(row)))
    say(`${row.padEnd(50)}${cells.join('')}${ratios.join('')}`.trimEnd())
  }
}

function figure(row: Row, values: readonly number[] | undefined): string {
  if (values === undefined) return ''
  const { median, p95 } = spread(values)
  const [unit, digits] = unitOf(row)
  const of = (value: number): string =>
    value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  return values.length === 1 ? `${of(median)}${unit}` : `${of(median)} (${of(p95)})${unit}`
}

function ratio(mine: readonly number[], theirs: readonly number[] | undefined): string {
  if (theirs === undefined) return ''
  return (spread(mine).median / spread(theirs).median).toFixed(2).padStart(8)
}

function unitOf(row: Row): [unit: string, digits: number] {
  if (/memory|^ {2}of it/.test(row)) return [' MB', 0]
  if (/a second|messages/.test(row)) return ['', 0]
  return [' ms', 1]
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
