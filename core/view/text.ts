// SPDX-License-Identifier: GPL-2.0-or-later
// The text twin of any blocks: the same facts in 80 columns of ASCII, for terminals and old tools.

import { printableAscii } from '../bytes/printable.ts'
import {
  type BitsBlock,
  type Block,
  type Cell,
  type FieldsBlock,
  type TableBlock,
  type TreeNode,
} from './block.ts'

type Align = 'left' | 'right'

/** Blocks as text without a newline at its end, a blank line between blocks. */
export function textOf(blocks: readonly Block[], width = 80): string {
  return blocks
    .map((block) => linesOf(block, width).map((line) => line.trimEnd()))
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')
}

function linesOf(block: Block, width: number): string[] {
  switch (block.kind) {
    case 'answer':
      return columnsOf(
        block.values.map(({ name }) => ascii(name)),
        [block.values.map(({ value }) => ascii(value))],
        block.values.map(() => 'left'),
        width,
      )
    case 'line':
      return wrap(block.parts.map((part) => ascii(part.text)).join(', '), width)
    case 'note':
      return wrap(ascii(block.text), width)
    case 'fields':
      return fieldLines(block, width)
    case 'bits':
      return bitLines(block, width)
    case 'details':
      return [`${ascii(block.summary)}:`, ...indent(textOf(block.blocks, width - 2).split('\n'))]
    case 'tree':
      return treeLines(block.root, 0, width)
    case 'table':
      return tableLines(block, width)
  }
}

function fieldLines({ caption, fields }: FieldsBlock, width: number): string[] {
  const wide = Math.max(...fields.map(({ name }) => name.length))
  const lines = fields.flatMap(({ name, value, remark }) => {
    const text = remark === undefined ? cellText(value) : `${cellText(value)} (${ascii(remark)})`
    return wrap(text, width - wide - 2).map(
      (line, i) => `${(i === 0 ? ascii(name) : '').padEnd(wide)}  ${line}`,
    )
  })
  return caption === null ? lines : [...wrap(ascii(caption), width), ...lines]
}

function bitLines({ name, value, fields }: BitsBlock, width: number): string[] {
  const rows = fields.map((field) => [field.bits, field.value, field.name].map(ascii))
  return [
    `${ascii(name)} = ${ascii(value)}`,
    ...columnsOf(['bits', 'value', 'is'], rows, ['right', 'right', 'left'], width),
  ]
}

function treeLines(node: TreeNode, depth: number, width: number): string[] {
  const pad = '  '.repeat(depth)
  const remark = node.remark === null ? '' : ` ${ascii(node.remark)}`
  const name = ascii(node.name)
  const own = node.value === null ? `${name}${remark}` : `${name}: ${ascii(node.value)}${remark}`
  const lines = wrap(own, width - pad.length - 4).map(
    (line, i) => pad + (i === 0 ? '' : '    ') + line,
  )
  // Closed nodes are left out of the text; the line of the node itself is what they show.
  if (!node.open) return lines
  for (const child of node.children) lines.push(...treeLines(child, depth + 1, width))
  if (node.hidden > 0) lines.push(`${pad}  ... ${node.hidden} more`)
  return lines
}

function tableLines(table: TableBlock, width: number): string[] {
  const names = table.columns.map((column) => ascii(column.name))
  const rows = table.rows.map((row) => row.map(cellText))
  const caption = [table.caption, table.remark].filter((text) => text !== null).join(' - ')
  const title = caption === '' ? [] : wrap(ascii(caption), width)
  const aligns = table.columns.map((column) => column.align)
  const whole = columnsOf(names, rows, aligns, width)
  if (table.cut === null) return [...title, ...whole]
  const { after, hidden, all } = table.cut
  const more = `... ${hidden.toLocaleString('en-US')} more: ${ascii(all)}`
  // Rows of more than one line: where the gap is cannot be told when they differ, and it is told at the end.
  const perRow = (whole.length - 1) / rows.length
  if (!Number.isInteger(perRow)) return [...title, ...whole, more]
  const gap = 1 + after * perRow
  return [...title, ...whole.slice(0, gap), more, ...whole.slice(gap)]
}

/**
 * A heading and rows in columns. When they are too wide, a wordy last column goes on below itself; else the columns
 * that fit make the line, and the others follow it by name; a single row becomes a record.
 */
function columnsOf(
  names: readonly string[],
  rows: readonly (readonly string[])[],
  aligns: readonly Align[],
  width: number,
): string[] {
  const all = [names, ...rows]
  const wide = names.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)))
  const last = wide.length - 1
  const before = wide.slice(0, last).reduce((sum, n) => sum + n + 2, 0)
  const cellsOf = (row: readonly string[]): string[] =>
    row.map((cell, i) => pad(cell, wide[i] ?? 0, aligns[i]))
  if (before + (wide[last] ?? 0) <= width) return all.map((row) => cellsOf(row).join('  '))
  if (aligns[last] === 'left' && width - before >= 24) {
    return all.flatMap((row) => {
      const [first = '', ...more] = wrap(row[last] ?? '', width - before)
      const line = [...cellsOf(row.slice(0, last)), first].join('  ')
      return [line, ...more.map((part) => ' '.repeat(before) + part)]
    })
  }
  let fits = 0
  for (let sum = 0; sum + (wide[fits] ?? 0) <= width; fits++) sum += (wide[fits] ?? 0) + 2
  if (rows.length === 1 || fits < 3) return recordLines(names, rows, width)
  const lineOf = (row: readonly string[]): string => cellsOf(row.slice(0, fits)).join('  ')
  return [
    lineOf(names),
    ...rows.flatMap((row) => {
      const rest = row.slice(fits).map((cell, i) => `${names[fits + i] ?? ''} ${cell}`)
      return [lineOf(row), ...wrap(rest.join('  '), width - 8).map((part) => `        ${part}`)]
    }),
  ]
}

function recordLines(
  names: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
): string[] {
  const wide = Math.max(...names.map((name) => name.length))
  return rows.flatMap((row, i) => [
    ...(i === 0 ? [] : ['']),
    ...row.flatMap((cell, column) =>
      wrap(cell, width - wide - 2).map(
        (line, part) => `${(part === 0 ? (names[column] ?? '') : '').padEnd(wide)}  ${line}`,
      ),
    ),
  ])
}

function cellText(cell: Cell): string {
  if (cell === null) return '-'
  return ascii(typeof cell === 'string' ? cell : cell.text)
}

function pad(text: string, width: number, align: Align | undefined): string {
  return align === 'right' ? text.padStart(width) : text.padEnd(width)
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`)
}

/** Breaks at blanks and behind `|` and `,`; a word that is longer than a line is broken anywhere. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.match(/[^ |,]*[|,]? ?/g) ?? []) {
    if (line !== '' && line.length + word.trimEnd().length > width) {
      lines.push(line)
      line = ''
    }
    line += word
    for (; line.trimEnd().length > width; line = line.slice(width)) lines.push(line.slice(0, width))
  }
  if (line !== '' || lines.length === 0) lines.push(line)
  return lines
}

// Signs that the blocks use, in ASCII. Other letters are shown by their number.
const signs = new Map([
  ['\u00a0', ' '],
  ['–', '-'],
  ['—', '-'],
  ['·', ','],
  ['→', '->'],
  ['≤', '<='],
])

function ascii(text: string): string {
  return printableAscii(
    text.replace(/[\u00a0–—·→≤]/g, (sign) => signs.get(sign) ?? sign),
    Infinity,
  )
}
