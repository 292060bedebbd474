// SPDX-License-Identifier: GPL-2.0-or-later
// Completion at a cursor, from the types of the cell in hand and of the cells before it.
import type { Completion } from '../frames.ts'
import { type NameKind, readCellText } from './celltext.ts'
import type { Compiler } from './compiler.ts'
import { suffixOf } from './names.ts'
import { codePointsBefore, indexOfCodePoint } from './position.ts'

/** More than a person reads; a global completion without a letter typed has over a thousand. */
const longest = 500

/** What clients call the kinds of live names in their icons. */
const typeOfKind: Record<NameKind, string> = {
  const: 'const',
  let: 'let',
  function: 'function',
  class: 'class',
  enum: 'enum',
  namespace: 'module',
  type: 'interface',
  import: 'alias',
}

/** The names that fit at `cursor` (in code points), the likely ones first. Runs no user code. */
export function complete(compiler: Compiler, code: string, cursor: number): Completion {
  const at = indexOfCodePoint(code, cursor)
  const text = readCellText(code, 'complete.ts')
  const path = compiler.service.host.setCell('complete.ts', code + suffixOf(text, compiler.live))
  const found = compiler.service.language.getCompletionsAtPosition(path, at, {
    includeCompletionsForModuleExports: false,
    includeCompletionsWithInsertText: false,
  })
  const word = wordBefore(code, at)
  const entries: { name: string; kind: string; start: number; sort: string }[] = (
    found?.entries ?? []
  ).map((entry) => ({
    name: entry.name,
    kind: entry.kind,
    start: entry.replacementSpan?.start ?? at - word.length,
    sort: entry.sortText,
  }))
  // Live names that the cell does not mention yet are not in its program.
  if (found?.isGlobalCompletion === true) {
    const known = new Set(entries.map(({ name }) => name))
    for (const [name, kind] of compiler.live.all()) {
      if (known.has(name)) continue
      entries.push({ name, kind: typeOfKind[kind], start: at - word.length, sort: '11' })
    }
  }
  const start = entries[0]?.start ?? at - word.length
  const typed = code.slice(start, at).toLowerCase()
  const fitting = entries
    .filter((entry) => entry.start === start && entry.name.toLowerCase().startsWith(typed))
    .sort((a, b) => compare(a.sort, b.sort) || compare(nameKey(a.name), nameKey(b.name)))
    .slice(0, longest)
  return {
    matches: fitting.map(({ name }) => name),
    start: codePointsBefore(code, start),
    end: codePointsBefore(code, at),
    types: fitting.map(({ name, kind }) => ({ text: name, type: kind })),
  }
}

/** Names of ours that begin with a dollar sign stand behind the members of the kernel's structures. */
function nameKey(name: string): string {
  return name.startsWith('$') ? `\uffff${name}` : name
}

/** The identifier that ends at `at`, perhaps empty. */
function wordBefore(code: string, at: number): string {
  return /[\p{ID_Continue}$\u200c\u200d]*$/u.exec(code.slice(0, at))?.[0] ?? ''
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
