// SPDX-License-Identifier: GPL-2.0-or-later
// Completion at a cursor, from the types of the cell in hand and of the cells before it.
import ts from 'typescript'
import type { Completion } from '../frames.ts'
import { type NameKind, readCellText } from './celltext.ts'
import type { Compiler } from './compiler.ts'
import { type LiveName, suffixOf } from './names.ts'
import { codePointsBefore, indexOfCodePoint } from './position.ts'

/** More than a person reads; a global completion without a letter typed has over a thousand. */
const longest = 500

/** Signatures are read for so many; each costs a look at the types of its function. */
const mostSignatures = 60
const callable: ReadonlySet<string> = new Set(['function', 'method', 'local function'])

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

const isValueOnly: ReadonlySet<NameKind> = new Set(['const', 'let', 'function'])

interface Entry {
  readonly name: string
  readonly kind: string
  /** The likely ones before others, then by name; empty for those that have their order already. */
  readonly sort: string
}

/** The names that fit at `cursor` (in code points), the likely ones first. Runs no user code. */
export function complete(compiler: Compiler, code: string, cursor: number): Completion {
  const at = indexOfCodePoint(code, cursor)
  const text = readCellText(code, 'complete.ts')
  const path = compiler.service.host.setCell(code + suffixOf(text, compiler.live))
  const found = compiler.service.language.getCompletionsAtPosition(path, at, {
    includeCompletionsForModuleExports: false,
    includeCompletionsWithInsertText: false,
  })
  const known = compiler.dumpNames.at(compiler.service.program, path, at, longest)
  const start = known?.start ?? found?.entries[0]?.replacementSpan?.start ?? wordStart(code, at)
  const entries: Entry[] = (known?.names ?? []).map((one) => ({ ...one, sort: '' }))
  for (const { name, kind, replacementSpan, sortText } of found?.entries ?? []) {
    if ((replacementSpan?.start ?? wordStart(code, at)) !== start) continue
    // What is being typed in quotes, which TypeScript takes for a name.
    if (kind === ts.ScriptElementKind.string && name === code.slice(start, at)) continue
    const own = kind === ts.ScriptElementKind.alias ? compiler.live.get(name) : undefined
    entries.push({ name, kind: own === undefined ? kind : kindOf(name, own), sort: sortText })
  }
  // Live names that the cell does not mention yet are not in its program.
  const there = new Set(entries.map(({ name }) => name))
  const isValue = found?.isGlobalCompletion === true
  // Where a type is written, which TypeScript does not call global, the global types are offered.
  if (isValue || there.has('Promise')) {
    for (const [name, live] of compiler.live.all()) {
      if (!there.has(name) && (isValue || !isValueOnly.has(live.kind)))
        entries.push({ name, kind: kindOf(name, live), sort: '11' })
    }
  }
  const typed = code.slice(start, at).toLowerCase()
  const fitting = entries
    .filter(({ name }) => name.toLowerCase().startsWith(typed))
    .sort((a, b) => compare(a.sort, b.sort) || (a.sort === '' ? 0 : compareNames(a, b)))
    .slice(0, longest)
  return {
    matches: fitting.map(({ name }) => name),
    start: codePointsBefore(code, start),
    end: codePointsBefore(code, at),
    types: fitting.map(({ name, kind }) => ({
      text: name,
      type: kind,
      ...(callable.has(kind) ? signatureOf(compiler, path, at, name, fitting.length) : {}),
    })),
  }
}

/** A name of the API is a function, or a class if it is written as one. */
function kindOf(name: string, { module, kind }: LiveName): string {
  if (module.startsWith('./')) return typeOfKind[kind]
  return /^[A-Z]/.test(name) ? 'class' : 'function'
}

/** Parameters and result of a function, for lists so short that they are read. */
function signatureOf(
  compiler: Compiler,
  path: string,
  at: number,
  name: string,
  count: number,
): { readonly signature?: string } {
  if (count > mostSignatures) return {}
  const { language } = compiler.service
  const none = undefined
  const details = language.getCompletionEntryDetails(path, at, name, {}, none, none, none)
  const text = ts.displayPartsToString(details?.displayParts)
  const open = text.search(/[(<]/g)
  const signature = text.slice(text.indexOf('(', text.startsWith('(') ? 1 : open))
  return open < 0 || !signature.startsWith('(') ? {} : { signature: signature.split('\n')[0] ?? '' }
}

/** Names of ours that begin with a dollar sign stand behind the members of the kernel's structures. */
function nameKey(name: string): string {
  return name.startsWith('$') ? `\uffff${name}` : name
}

/** Where the identifier begins that ends at `at`; it may be empty. */
function wordStart(code: string, at: number): number {
  return at - (/[\p{ID_Continue}$\u200c\u200d]*$/u.exec(code.slice(0, at))?.[0].length ?? 0)
}

function compareNames(a: Entry, b: Entry): number {
  return compare(nameKey(a.name), nameKey(b.name))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
