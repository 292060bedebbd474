// SPDX-License-Identifier: GPL-2.0-or-later
// docs/kernels.md: written from the cells of the matrix, and read back to be compared.

import { type Cell } from './cells.ts'
import { type Kernel } from './kernels.ts'

export interface Row {
  readonly name: string
  readonly cells: readonly Cell[]
}

/** The page of the matrix. */
export function pageOf(
  features: readonly string[],
  rows: readonly Row[],
  kernels: readonly Kernel[],
): string {
  const notes: string[] = []
  const shown = ({ mark, note: text }: Cell, i: number) => {
    // Of a row that was not run, once.
    if (text === undefined || (mark === 'not run' && i > 0)) return mark
    const note = firstSentence(text)
    if (!notes.includes(note)) notes.push(note)
    return `${mark} <sup>${notes.indexOf(note) + 1}</sup>`
  }
  const matrix = table(
    ['kernel', ...features],
    rows.map(({ name, cells }) => [`**${name}**`, ...cells.map(shown)]),
  )
  return `<!-- Written by: npm run matrix. What is changed by hand is lost. -->

# Kernels

What was tried on which kernel, and what came of it. \`npm run matrix\` runs every case and writes this page; a case that gives
a wrong answer makes it fail.

* **real**: on the dump of a real host, against what that host had recorded while it ran.
* **built**: on a host written for the case, with the structures of that kernel.
* **no**: the library says that it cannot, in the words of the note.
* **–**: that kernel has no such thing, or nothing here has it to try it on.
* **not run**: the dump was not there when this page was written.

*Types hidden*: the layouts are found in the dump itself, as for a kernel that does not describe its types. *BTF in a file*:
they are read from [a file of that kernel](debuginfo.md), which has none of its modules' types.

${matrix}

## Notes

${notes.map((note, i) => `${i + 1}. ${note}`).join('\n')}

## What built hosts are like

${builtTable(kernels)}
`
}

/** What an error says first, as Markdown: behind that comes what to do, which differs by kernel. */
export function firstSentence(text: string): string {
  const [sentence = ''] = text.replace(/\s+/g, ' ').split(/\. (?=[A-Z])/)
  return sentence.replace(/([<>*|])/g, '\\$1')
}

function builtTable(kernels: readonly Kernel[]): string {
  const rows = kernels.flatMap(({ name, built, real }) => {
    if (built === undefined) return []
    const { memslots = 'tree', vmas = 'maple', era = 'today', beforeL1tf, levels = 4 } = built.forms
    const entries = beforeL1tf === true ? 'before L1TF' : 'inverted'
    const use = real === undefined ? 'every feature' : 'what the real dump has nothing of'
    return [[name, use, memslots, vmas, era, entries, String(levels)]]
  })
  const head = ['kernel', 'used for', 'memslots', 'VMAs', 'tasks, files, pages', 'swap entries']
  return table([...head, 'levels of page tables'], rows)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** The matrix of a page: its columns, and for each row the marks and the numbers of notes. */
export function readPage(text: string): {
  features: string[]
  rows: Map<string, string[]>
} {
  const lines = /^\| kernel \|[^]*?(?=\n\n)/m.exec(text)?.[0].split('\n') ?? []
  const cells = (line: string) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
  const [head = '', , ...rows] = lines
  const parts = rows.map(cells)
  return {
    features: cells(head).slice(1),
    rows: new Map(parts.map(([name = '', ...marks]) => [name.replaceAll('*', ''), marks])),
  }
}
