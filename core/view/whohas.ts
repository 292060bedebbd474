// SPDX-License-Identifier: GPL-2.0-or-later
// Who has a frame: the answer, its owners, and the steps that led there; and many of them as a table.

import { hex } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { describeFile } from '../reverse/words.ts'
import { type OwnerRow, OwnerTable } from '../reverse/ownertable.ts'
import { WhoHas } from '../reverse/whohas.ts'
import { type Block, type Cell, type TableBlock, type View, type ViewOptions } from './block.ts'
import { pageFields } from './page.ts'
import { count, left, right, rowsOf, shownOf } from './table.ts'
import { textOf } from './text.ts'

/** True for the answer of one address. */
export function isWhoHas(value: object): value is WhoHas {
  return value instanceof WhoHas
}

/** True for the answers of many. */
export function isOwnerTable(value: object): value is OwnerTable {
  return value instanceof OwnerTable
}

/** The answer of one address. */
export function whoHasView(who: WhoHas, options: ViewOptions = {}): View {
  const [guest] = who.guests
  const blocks: Block[] = [
    {
      kind: 'answer',
      values: [
        { name: 'host physical', value: hex(who.hpa), absent: false },
        {
          name: 'guest physical',
          value: guest === undefined ? 'none' : hex(guest.gpa),
          absent: guest === undefined,
        },
      ],
    },
    {
      kind: 'line',
      parts: [
        {
          text: printable(who.answer, 1000),
          ...(who.isPoisoned ? { tone: 'poisoned' as const } : {}),
        },
      ],
    },
    ...(who.guests.length > 0 ? [guestsTable(who, options)] : []),
    ...(who.processes.length > 0 ? [processesTable(who, options)] : []),
    ...(who.file === null
      ? []
      : [{ kind: 'note' as const, text: `file: ${describeFile(who.file)}` }]),
    stepsTable(who),
    ...who.remarks.map((text): Block => ({
      kind: 'note',
      text: `not known: ${printable(text, 1000)}`,
    })),
    ...(who.page === null
      ? []
      : [
          {
            kind: 'details' as const,
            summary: 'struct page',
            open: false,
            blocks: [pageFields(who.page)],
          },
        ]),
  ]
  return { text: who.toString(), blocks, charts: [] }
}

function guestsTable({ guests }: WhoHas, options: ViewOptions): TableBlock {
  const rule = { most: 20, head: 15, tail: 5, all: 'show(dump.whoHas(hpa), { rows: Infinity })' }
  return {
    kind: 'table',
    caption: `${count(guests.length, 'page')} of guests`,
    remark: guests.length > 1 ? 'they share the frame' : null,
    columns: [left('guest'), right('pid'), right('gpa'), right('slot'), right('hva'), left('how')],
    ...rowsOf(guests, rule, options, ({ vm, gpa, slot, hva, holding, addressSpace }) => [
      { text: printable(vm.name ?? 'unnamed'), look: 'name' },
      vm.task?.pid.toString() ?? null,
      hex(gpa),
      addressSpace === 0 ? slot.id.toString() : `${slot.id} (SMM)`,
      hex(hva),
      holding,
    ]),
  }
}

function processesTable({ processes }: WhoHas, options: ViewOptions): TableBlock {
  const rule = { most: 20, head: 15, tail: 5, all: 'show(dump.whoHas(hpa), { rows: Infinity })' }
  return {
    kind: 'table',
    caption: `${count(processes.length, 'page')} of processes`,
    remark: null,
    columns: [left('process'), right('pid'), right('hva'), left('area'), left('how')],
    ...rowsOf(processes, rule, options, ({ task, hva, vma, holding }) => [
      { text: printable(task.comm), look: 'name' },
      task.pid.toString(),
      hex(hva),
      vma === null ? null : printable(vma.file ?? vma.name ?? 'anonymous', 255),
      holding,
    ]),
  }
}

function stepsTable({ how }: WhoHas): TableBlock {
  return {
    kind: 'table',
    caption: 'how it was found',
    remark: null,
    columns: [right('step'), left('what was read')],
    rows: how.map((text, i) => [(i + 1).toString(), printable(text, 1000)]),
    cut: null,
  }
}

/** The answers of many: the first and last rows, and how many are of which kind. */
export function ownerTableView(table: OwnerTable, options: ViewOptions = {}): View {
  const rule = { most: 10, head: 5, tail: 3, all: 'show(table, { rows: 100 })' }
  const most = options.rows === undefined ? {} : { rows: Math.min(options.rows, 10_000) }
  const { shown, cut } = shownOf(table.length, rule, most)
  const kinds = Object.entries(table.kinds)
    .map(([kind, rows]) => `${kind} ${rows.toLocaleString('en-US')}`)
    .join(', ')
  const blocks: Block[] = [
    {
      kind: 'table',
      caption: count(table.length, 'host physical address').replace('addresss', 'addresses'),
      remark: kinds === '' ? null : kinds,
      columns: [
        ...['row', 'hpa'].map(right),
        ...['kind', 'guest'].map(left),
        ...['gpa', 'slot', 'pid', 'owners'].map(right),
      ],
      rows: shown.flatMap((i) => {
        const row = table.row(i)
        return row === undefined ? [] : [cellsOf(row)]
      }),
      cut,
    },
    ...table.remarks.map((text): Block => ({
      kind: 'note',
      text: `not known: ${printable(text, 1000)}`,
    })),
  ]
  return { text: textOf(blocks), blocks, charts: [] }
}

function cellsOf({ index, hpa, kind, vm, gpa, slot, pid, owners }: OwnerRow): Cell[] {
  return [
    index.toString(),
    hpa === null ? null : hex(hpa),
    kind,
    vm === null ? null : { text: printable(vm.name ?? 'unnamed'), look: 'name' },
    gpa === null ? null : hex(gpa),
    slot?.toString() ?? null,
    pid?.toString() ?? null,
    owners.toString(),
  ]
}
