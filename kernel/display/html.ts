// SPDX-License-Identifier: GPL-2.0-or-later
// Blocks as HTML that survives JupyterLab's sanitiser: inline styles only, no scripts, no ids, no style sheet.

import {
  printable,
  type AnswerBlock,
  type Bar,
  type BitsBlock,
  type Block,
  type Cell,
  type FieldsBlock,
  type Part,
  type TableBlock,
  type TreeNode,
} from '../../core/index.ts'
import { colours, monoFont } from './palette.ts'

// JupyterLab centres tables, aligns cells right and lets them wrap; each style here answers one of its own rules.
const tableStyle = `margin:0 0 8px 0;border-collapse:collapse;font-size:12px;font-family:${monoFont};white-space:nowrap`
const captionStyle =
  'caption-side:top;text-align:left;padding:6px 0 3px 0;font-family:system-ui,sans-serif;font-size:12px;font-weight:600'
const leftCell = 'text-align:left;padding:2px 12px 2px 0'
const rightCell = 'text-align:right;padding:2px 12px 2px 0'
/** For what is beside the point. Where var() is taken away, the plain colour before it stays. */
export const dimColour = 'color:#777;color:var(--jp-ui-font-color2,#777)'

/** Blocks as one piece of HTML. Without any style it still reads: words, spaces and tables carry everything. */
export function htmlOf(blocks: readonly Block[]): string {
  return `<div style="overflow-x:auto;max-width:100%">${blocks.map(blockHtml).join('')}</div>`
}

function blockHtml(block: Block): string {
  switch (block.kind) {
    case 'answer':
      return answerHtml(block)
    case 'line':
      return `<div style="font-size:12px;margin:0 0 6px 0">${block.parts.map(partHtml).join(' &middot; ')}</div>`
    case 'note':
      return `<div style="font-size:12px;margin:0 0 6px 0">${dim(escapeHtml(block.text))}</div>`
    case 'table':
      return tableHtml(block)
    case 'fields':
      return fieldsHtml(block)
    case 'bits':
      return bitsHtml(block)
    case 'details': {
      const summary = `<summary style="font-size:12px;cursor:pointer">${escapeHtml(block.summary)}</summary>`
      return `<details${block.open ? ' open' : ''} style="margin:0 0 4px 0">${summary}${block.blocks.map(blockHtml).join('')}</details>`
    }
    case 'tree':
      return `<div style="font-family:${monoFont};font-size:12px;line-height:1.5">${nodeHtml(block.root, 0)}</div>`
  }
}

function answerHtml({ values }: AnswerBlock): string {
  const heads = values.map(({ name }) => headCell(name, 'left', `font-weight:400;${dimColour}`))
  const cells = values.map(({ value, absent }) => {
    const weight = absent ? 'font-weight:400' : 'font-weight:600'
    return `<td style="${leftCell};font-size:15px;${weight}">${absent ? dim(keep(value)) : keep(value)}</td>`
  })
  return table(`<thead><tr>${heads.join('')}</tr></thead><tbody><tr>${cells.join('')}</tr></tbody>`)
}

function tableHtml(block: TableBlock): string {
  const { columns, rows, cut } = block
  const heads = columns.map(({ name, align }) => headCell(name, align, 'font-weight:600'))
  const lines = rows.map((row) => {
    const cells = row.map((cell, i) => {
      const style = columns[i]?.align === 'right' ? rightCell : leftCell
      return `<td style="${style}${noBreak(cell)}">${cellHtml(cell)}</td>`
    })
    return `<tr>${cells.join('')}</tr>`
  })
  if (cut !== null) {
    const more = `${dim(`&#8942; ${cut.hidden.toLocaleString('en-US')} more:`)} <code>${escapeHtml(cut.all)}</code>`
    const gap = `<tr><td colspan="${columns.length}" style="${leftCell}">${more}</td></tr>`
    lines.splice(cut.after, 0, gap)
  }
  const body = `<thead><tr>${heads.join('')}</tr></thead><tbody>${lines.join('')}</tbody>`
  return table(captionHtml(block.caption, block.remark) + body)
}

function fieldsHtml({ caption, fields }: FieldsBlock): string {
  const rows = fields.map(({ name, value, remark }) => {
    const behind = remark === undefined ? '' : ` ${dim(escapeHtml(remark))}`
    const head = `<th scope="row" style="${leftCell};font-weight:400;${dimColour}">${keep(name)}</th>`
    return `<tr>${head}<td style="${leftCell}">${cellHtml(value)}${behind}</td></tr>`
  })
  return table(`${captionHtml(caption, null)}<tbody>${rows.join('')}</tbody>`)
}

/** Three rows: the bits with their level's colour below, the value, the name. */
function bitsHtml({ name, value, fields }: BitsBlock): string {
  const cell = (style: string, text: string): string =>
    `<td style="text-align:center;padding:1px 10px${style}">${text}</td>`
  const bits = fields.map(({ bits: range, tone }) =>
    cell(`;border-bottom:3px solid ${tone === null ? '#b1b5b9' : colours[tone]}`, dim(range)),
  )
  const values = fields.map((field) => cell(';font-weight:600', escapeHtml(field.value)))
  const names = fields.map((field) => cell('', keep(field.name)))
  const aside = (text: string): string =>
    `<td style="${leftCell};padding:1px 12px 1px 10px">${dim(keep(text))}</td>`
  const rows = [
    bits.join('') + aside(name),
    values.join('') + aside(`= ${value}`),
    names.join('') + aside('table [index]'),
  ]
  return table(`<thead>${rows.map((row) => `<tr>${row}</tr>`).join('')}</thead>`)
}

function nodeHtml(node: TreeNode, depth: number): string {
  const pad = depth === 0 ? '' : ' style="padding:0 0 0 14px"'
  const remark = node.remark === null ? '' : ` ${dim(escapeHtml(node.remark))}`
  if (node.children.length === 0 && node.hidden === 0) {
    const value = node.value === null ? '' : ` ${escapeHtml(node.value)}`
    return `<div${pad}>${dim(`${escapeHtml(node.name)}:`)}${value}${remark}</div>`
  }
  const children = node.children.map((child) => nodeHtml(child, depth + 1))
  if (node.hidden > 0) {
    children.push(
      `<div style="padding:0 0 0 14px">${dim(`&#8942; ${node.hidden} more members`)}</div>`,
    )
  }
  const summary = `<summary style="cursor:pointer">${escapeHtml(node.name)}${remark}</summary>`
  return `<details${node.open ? ' open' : ''}${pad}>${summary}${children.join('')}</details>`
}

function table(inner: string): string {
  return `<table style="${tableStyle}">${inner}</table>`
}

function captionHtml(caption: string | null, remark: string | null): string {
  if (caption === null && remark === null) return ''
  const parts = [
    caption === null ? '' : escapeHtml(caption),
    remark === null ? '' : dim(escapeHtml(remark)),
  ]
  return `<caption style="${captionStyle}">${parts.filter((part) => part !== '').join(' ')}</caption>`
}

function headCell(name: string, align: 'left' | 'right', style: string): string {
  return `<th scope="col" style="${align === 'right' ? rightCell : leftCell};${style}">${keep(name)}</th>`
}

function cellHtml(cell: Cell): string {
  if (cell === null) return dim('-')
  if (typeof cell === 'string') return keep(cell)
  return 'bar' in cell ? barHtml(cell) : partHtml(cell)
}

function partHtml({ text, tone, look }: Part): string {
  const square = tone === undefined ? '' : `<span style="color:${colours[tone]}">&#9632;</span> `
  const words = escapeHtml(text)
  if (look === 'dim') return square + dim(words)
  if (look === 'name') return `${square}<i>${words}</i>`
  return look === 'code' ? `${square}<code>${words}</code>` : square + words
}

/** The bar is empty where styles are gone, so its text follows it. */
function barHtml({ bar, text }: Bar): string {
  const pieces = bar.map(
    ({ tone, share }) =>
      `<div style="width:${(share * 100).toFixed(1)}%;background:${colours[tone]}"></div>`,
  )
  const frame =
    'display:inline-flex;width:84px;height:9px;background:rgba(127,127,127,0.2);vertical-align:middle'
  return `<div style="${frame}">${pieces.join('')}</div> ${keep(text)}`
}

function dim(html: string): string {
  return `<span style="${dimColour}">${html}</span>`
}

/** Longer text may wrap. */
const SHORT = 40
/** A line of flags is at least this long before it may break. */
const FLAGS = 20

/** Text whose blanks must not become line ends. */
function keep(text: string): string {
  if (text.includes('|')) return flagsHtml(text)
  return text.length > SHORT ? escapeHtml(text) : escapeHtml(text).replaceAll(' ', '&#160;')
}

/**
 * A list of flags may break behind some of its names: behind each of them, it would stand as one narrow column in a
 * narrow window, and make every row of a table high.
 */
function flagsHtml(text: string): string {
  const lines: string[] = []
  let line = ''
  for (const flag of text.split(/(?<=\|)/)) {
    line += flag
    if (line.length < FLAGS) continue
    lines.push(line)
    line = ''
  }
  if (line !== '') lines.push(line)
  return lines
    .map((part) => `<span style="white-space:nowrap">${escapeHtml(part)}</span>`)
    .join('<wbr>')
}

/** A hyphen is a place to break too, and no-break hyphens would be copied with the name. */
function noBreak(cell: Cell): string {
  const text = typeof cell === 'string' ? cell : (cell?.text ?? '')
  return text.includes('-') && text.length <= SHORT ? ';white-space:nowrap' : ''
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Everything that is not markup of this file goes through here, whatever was done to it before. */
export function escapeHtml(text: string): string {
  return printable(text, Infinity).replace(/[&<>"']/g, (sign) => entities[sign] ?? sign)
}
