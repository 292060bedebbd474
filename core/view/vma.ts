// SPDX-License-Identifier: GPL-2.0-or-later
// A virtual memory area, as a table row.

import { formatSize, hex } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { type Vma } from '../linux/vma.ts'
import { type Cell, type TableBlock, type View, type ViewOptions } from './block.ts'
import { count, has, left, right, rowsOf } from './table.ts'
import { textOf } from './text.ts'

/** True for a VMA. */
export function isVma(value: object): value is Vma {
  return has(value, 'address', 'start', 'end', 'flagBits', 'protection', 'pageOffset')
}

/** One VMA. */
export function vmaView(vma: Vma): View {
  const block = vmaTable([vma], null)
  return { text: textOf([block]), blocks: [block], charts: [] }
}

/** A list of VMAs with their size in all. */
export function vmasView(vmas: readonly Vma[], options: ViewOptions = {}): View {
  const bytes = vmas.reduce((sum, vma) => sum + Number(vma.end - vma.start), 0)
  const block = vmaTable(vmas, `${count(vmas.length, 'VMA')}, ${formatSize(bytes)}`, options)
  return { text: textOf([block]), blocks: [block], charts: [] }
}

/** VMAs as a table. The end is the byte behind the last, as in /proc/PID/maps. */
export function vmaTable(
  vmas: readonly Vma[],
  caption: string | null,
  options: ViewOptions = {},
): TableBlock {
  const rule = { most: 20, head: 15, tail: 5, all: 'show(vmas, { rows: Infinity })' }
  return {
    kind: 'table',
    caption,
    remark: null,
    columns: [
      right('vma'),
      right('start'),
      right('end'),
      right('size'),
      right('flags'),
      left('prot'),
      left('file'),
      left('names'),
    ],
    ...rowsOf(vmas, rule, options, (vma) => [
      hex(vma.address),
      hex(vma.start),
      hex(vma.end),
      formatSize(Number(vma.end - vma.start)),
      hex(vma.flagBits),
      vma.protection,
      fileCell(vma),
      vma.flags.length === 0 ? null : vma.flags.join('|'),
    ]),
  }
}

function fileCell(vma: Vma): Cell {
  if (vma.file !== null) return printable(vma.file)
  return { text: vma.name === null ? 'anonymous' : printable(vma.name), look: 'dim' }
}
