// SPDX-License-Identifier: GPL-2.0-or-later
// Virtual memory areas: one as fields, many as a table.

import { formatSize, hex } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { type Vma } from '../linux/vma.ts'
import {
  type Cell,
  type FieldsBlock,
  type TableBlock,
  type View,
  type ViewOptions,
} from './block.ts'
import { count, has, left, lostOf, right, rowsOf } from './table.ts'
import { textOf } from './text.ts'

/** True for a VMA. */
export function isVma(value: object): value is Vma {
  return has(value, 'address', 'start', 'end', 'flagBits', 'protection', 'pageOffset')
}

/** One VMA. */
export function vmaView(vma: Vma): View {
  const block = vmaFields(vma)
  return { text: textOf([block]), blocks: [block], charts: [] }
}

/** A list of VMAs with their size in all. */
export function vmasView(vmas: readonly Vma[], options: ViewOptions = {}): View {
  const bytes = vmas.reduce((sum, vma) => sum + Number(vma.end - vma.start), 0)
  const block = vmaTable(vmas, `${count(vmas.length, 'VMA')}, ${formatSize(bytes)}`, options)
  const blocks = [block, ...lostOf(vmas).notes]
  return { text: textOf(blocks), blocks, charts: [] }
}

/** A VMA with the names of its flags. The end is the byte behind the last, as in /proc/PID/maps. */
export function vmaFields(vma: Vma): FieldsBlock {
  return {
    kind: 'fields',
    caption: null,
    fields: [
      { name: 'vm_area_struct', value: hex(vma.address) },
      { name: 'start', value: hex(vma.start) },
      { name: 'end', value: hex(vma.end), remark: formatSize(Number(vma.end - vma.start)) },
      { name: 'protection', value: vma.protection },
      { name: 'file', value: fileCell(vma) },
      { name: 'flags', value: hex(vma.flagBits) },
      { name: 'flag names', value: vma.flags.length === 0 ? null : vma.flags.join('|') },
    ],
  }
}

/** The names of the flags would make each row several lines high. */
function vmaTable(vmas: readonly Vma[], caption: string, options: ViewOptions): TableBlock {
  const rule = { most: 20, head: 15, tail: 5, all: 'show(task.vmas, { rows: Infinity })' }
  return {
    kind: 'table',
    caption,
    remark: lostOf(vmas).remark,
    columns: [
      right('vma'),
      right('start'),
      right('end'),
      right('size'),
      right('flags'),
      left('prot'),
      left('file'),
    ],
    ...rowsOf(vmas, rule, options, (vma) => [
      hex(vma.address),
      hex(vma.start),
      hex(vma.end),
      formatSize(Number(vma.end - vma.start)),
      hex(vma.flagBits),
      vma.protection,
      fileCell(vma),
    ]),
  }
}

function fileCell(vma: Vma): Cell {
  if (vma.file !== null) return printable(vma.file)
  return { text: vma.name === null ? 'anonymous' : printable(vma.name), look: 'dim' }
}
