// SPDX-License-Identifier: GPL-2.0-or-later
// Groups of the rows of a bulk translation: what they have in common, how many there are, and their share as a bar.

import { type Group } from '../bulk/group.ts'
import { formatSize, hex } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { type Cell, type View, type ViewOptions } from './block.ts'
import { percent } from './sharebars.ts'
import { count, left, right, rowsOf } from './table.ts'
import { textOf } from './text.ts'
import { type Tone, toneOf } from './tone.ts'

/** As `groupBy` gave them, or some of them: shares are those of the rows that are listed. */
export function groupsView(groups: readonly Group[], options: ViewOptions = {}): View {
  const rule = { most: 30, head: 20, tail: 5, all: 'show(groups, { rows: Infinity })' }
  const rows = groups.reduce((sum, group) => sum + group.count, 0)
  const names = Object.keys(groups[0] ?? {}).filter((name) => name !== 'count')
  const isNumber = (name: string) => name === 'slot' || name === 'node' || name === 'pageSize'
  const block = {
    kind: 'table' as const,
    caption: `${count(groups.length, 'group')} of ${count(rows, 'row')}`,
    remark: null,
    columns: [
      ...names.map((name) => (isNumber(name) ? right(name) : left(name))),
      right('rows'),
      left('share'),
    ],
    ...rowsOf(groups, rule, options, (group) => [
      ...names.map((name) => cellOf(name, group)),
      group.count.toLocaleString('en-US'),
      {
        bar: [{ tone: groupTone(group), share: group.count / rows }],
        text: percent(group.count / rows),
      },
    ]),
  }
  return { text: textOf([block]), blocks: [block], charts: [] }
}

function cellOf(name: string, group: Group): Cell {
  const value: unknown = group[name as keyof Group]
  if (value === null || value === undefined) return null
  if (name === 'pageSize') return formatSize(Number(value))
  if (name === 'state' && group.state !== undefined)
    return { text: group.state, tone: groupTone(group) }
  if (typeof value === 'bigint') return hex(value)
  if (typeof value === 'string') return printable(value)
  const text: unknown = JSON.stringify(value, plain)
  return typeof text === 'string' ? printable(text) : null
}

function plain(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? hex(value) : value
}

/** Groups that are of no state have the colour of what is there. */
function groupTone({ state, pageSize }: Group): Tone {
  if (state === 'invalid') return 'hole'
  return toneOf(state ?? 'mapped', pageSize ?? null)
}
