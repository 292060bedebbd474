// SPDX-License-Identifier: GPL-2.0-or-later
// Type errors as the notebook shows them: the cell's own line with a mark under the fault.
import { basename } from 'node:path'
import type ts from 'typescript'
import type { CellError } from '../frames.ts'
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
  const sorted = [...diagnostics].sort((a, b) => (a.start ?? 0) - (b.start ?? 0))
  const faults = sorted.map((diagnostic) => {
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

/** The cell, or the file beside the notebook, in which a fault is. */
function textOf(
  { file }: ts.Diagnostic,
  cell: string,
  code: string,
): { readonly name: string; readonly text: string } {
  const name = `${cell}.ts`
  const isCell = file === undefined || basename(file.fileName) === name
  return isCell ? { name, text: code } : { name: basename(file.fileName), text: file.text }
}

/** The line with its number, and below it a mark of `length` characters at `column` (from 0). */
export function codeFrame(
  lines: readonly string[],
  line: number,
  column: number,
  length: number,
): string[] {
  const text = lines[line] ?? ''
  const gutter = String(line + 1).padStart(4)
  const width = Math.max(1, Math.min(length, text.length - column))
  // Tabs stay tabs, so that the mark stands under its place however wide they are shown.
  const lead = text.slice(0, column).replace(/[^\t]/g, ' ')
  return [`${gutter} │ ${text}`, `     │ ${lead}${red('^'.repeat(width))}`, '']
}

function lineStartsOf(code: string): number[] {
  const starts = [0]
  for (let at = code.indexOf('\n'); at >= 0; at = code.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}
