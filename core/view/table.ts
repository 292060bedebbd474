// SPDX-License-Identifier: GPL-2.0-or-later
// What the tables have in common: columns, the cut of long ones, cells that the dump may lack.

import { DumpError } from '../errors.ts'
import { printable } from '../bytes/printable.ts'
import { type Block, type Cell, type Column, type Cut, type ViewOptions } from './block.ts'

/** A column of numbers or addresses. */
export function right(name: string): Column {
  return { name, align: 'right' }
}

/** A column of words. */
export function left(name: string): Column {
  return { name, align: 'left' }
}

/** How a kind of table is cut: `most` rows are shown whole; of more, the first `head` and the last `tail`. */
export interface CutRule {
  readonly most: number
  readonly head: number
  readonly tail: number
  /** What to type to see all rows. */
  readonly all: string
}

/** The rows that are shown, made only for those, and the cut. */
export function rowsOf<T>(
  items: readonly T[],
  rule: CutRule,
  options: ViewOptions,
  row: (item: T) => readonly Cell[],
): { rows: (readonly Cell[])[]; cut: Cut | null } {
  const { shown, cut } = shownOf(items.length, rule, options)
  return { rows: shown.flatMap((i) => items.slice(i, i + 1)).map(row), cut }
}

/** The numbers of the rows that are shown of `length`, and the cut. */
export function shownOf(
  length: number,
  rule: CutRule,
  options: ViewOptions,
): { shown: number[]; cut: Cut | null } {
  const most = options.rows ?? rule.most
  const numbers = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => from + i)
  if (length <= most) return { shown: numbers(0, length), cut: null }
  const tail = options.rows === undefined ? rule.tail : Math.min(rule.tail, Math.floor(most / 2))
  const head = options.rows === undefined ? rule.head : most - tail
  const shown = [...numbers(0, head), ...numbers(length - tail, length)]
  return { shown, cut: { after: head, hidden: length - shown.length, all: rule.all } }
}

/** A cell whose value is read from the dump only now. What the dump lacks is said, and does not spoil the rest. */
export function readCell(read: () => Cell): Cell {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof DumpError)) throw error
    return { text: 'not readable', look: 'dim' }
  }
}

/** What stands at a list that is not whole: a remark beside its caption, and the reason below it. */
export function lostOf(list: object): { remark: string | null; notes: Block[] } {
  const lost = has(list, 'lost') ? (list as { lost?: unknown }).lost : null
  if (typeof lost !== 'string') return { remark: null, notes: [] }
  return {
    remark: 'others cannot be read',
    notes: [{ kind: 'note', text: printable(lost, 1000) }],
  }
}

/** `1 task`, `2 tasks`. */
export function count(n: number, noun: string): string {
  return `${n.toLocaleString('en-US')} ${noun}${n === 1 ? '' : 's'}`
}

/** True when `value` has all of these members, own or inherited; none of them is read. */
export function has(value: object, ...members: string[]): boolean {
  return members.every((member) => member in value)
}
