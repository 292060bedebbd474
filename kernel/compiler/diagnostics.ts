// SPDX-License-Identifier: GPL-2.0-or-later
// Type errors as the notebook shows them: the cell's own line with a mark under the fault.
import { basename } from 'node:path'
import type ts from 'typescript'
import type { CellError } from '../frames.ts'
import { cellFile } from './host.ts'
import { messageOf } from './messages.ts'
import type { LiveNames } from './names.ts'

/** After so many the rest is only counted: the first ones are those that tell something. */
const shown = 10

// Two colours that are seen on light and on dark; JupyterLab's gray is not.
const red = (text: string): string => `\u001b[31m${text}\u001b[39m`
const cyan = (text: string): string => `\u001b[36m${text}\u001b[39m`

/** What a cell with faults shows instead of running. `code` is the cell's own text. */
export function compileError(
  diagnostics: readonly ts.Diagnostic[],
  cell: string,
  code: string,
  live: LiveNames,
): CellError {
  const faults = telling(diagnostics).map((diagnostic) => {
    const { name, text } = textOf(diagnostic, cell, code)
    const start = Math.min(diagnostic.start ?? 0, text.length)
    const lineStarts = lineStartsOf(text)
    const line = lineStarts.findLastIndex((lineStart) => lineStart <= start)
    const column = start - (lineStarts[line] ?? 0)
    return {
      place: `${name}:${line + 1}:${column + 1}`,
      text,
      line,
      column,
      length: diagnostic.length ?? 0,
      label: `TS${diagnostic.code}`,
      message: messageOf(diagnostic, text, live),
    }
  })
  const [first] = faults
  const traceback = faults
    .slice(0, shown)
    .flatMap((fault) => [
      `${cyan(fault.place)} - ${red('error')} ${fault.label}: ${fault.message}`,
      ...codeFrame(fault.text.split('\n'), fault.line, fault.column, fault.length),
    ])
  if (faults.length > shown) traceback.push(`… and ${faults.length - shown} more`)
  return {
    ename: 'TSError',
    evalue:
      first === undefined
        ? 'the cell was not compiled'
        : `${first.place} - ${first.label}: ${first.message}`,
    traceback,
  }
}

/** In the order of their places, and of several at one place the first: it is the reason of the others. */
function telling(diagnostics: readonly ts.Diagnostic[]): ts.Diagnostic[] {
  const placeOf = ({ file, start = 0 }: ts.Diagnostic): string => `${file?.fileName ?? ''}:${start}`
  return [...new Map([...diagnostics].reverse().map((one) => [placeOf(one), one])).values()].sort(
    (a, b) => (a.start ?? 0) - (b.start ?? 0),
  )
}

/** The cell, or the file beside the notebook, in which a fault is. */
function textOf(
  { file }: ts.Diagnostic,
  cell: string,
  code: string,
): { readonly name: string; readonly text: string } {
  const name = file === undefined ? cellFile : basename(file.fileName)
  return name === cellFile || file === undefined
    ? { name: `${cell}.ts`, text: code }
    : { name, text: file.text }
}

/** So much of a long line is shown, with the fault in it. */
const widest = 120

/** The line with its number, and below it a mark of `length` characters at `column` (from 0). */
export function codeFrame(
  lines: readonly string[],
  line: number,
  column: number,
  length: number,
): string[] {
  const whole = lines[line] ?? ''
  const from = whole.length > widest ? Math.max(0, column - widest / 2) : 0
  const text = whole.slice(from, from + widest)
  const before = (from > 0 ? '…' : '') + text.slice(0, column - from)
  const after = text.slice(column - from)
  const marked = after.slice(0, Math.max(1, length))
  // Tabs stay tabs, so that the mark stands under its place however wide they are shown.
  const lead = before.replace(/[^\t]/gu, (letter) => ' '.repeat(widthOf(letter)))
  const gutter = String(line + 1).padStart(4)
  return [
    `${gutter} │ ${before}${after}${from + widest < whole.length ? '…' : ''}`,
    `     │ ${lead}${red('^'.repeat(Math.max(1, widthOf(marked))))}`,
    '',
  ]
}

/** How many columns a text takes: marks above letters none, East Asian letters and emoji two. */
function widthOf(text: string): number {
  return Array.from(text).reduce((sum, letter) => {
    if (/\p{Mark}|\u200d/u.test(letter)) return sum
    return (
      sum +
      (/\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uff00-\uff60]/u.test(letter)
        ? 2
        : 1)
    )
  }, 0)
}

function lineStartsOf(code: string): number[] {
  const starts = [0]
  for (let at = code.indexOf('\n'); at >= 0; at = code.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}
