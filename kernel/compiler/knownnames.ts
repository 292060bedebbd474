// SPDX-License-Identifier: GPL-2.0-or-later
// What an opened dump holds, offered where the API takes its name: pids, virtual machines, symbols.
import ts from 'typescript'
import type { DumpNames } from '../frames.ts'

/** A name to offer, and the word that a client shows beside it. */
export interface KnownName {
  readonly name: string
  readonly kind: string
}

/** What fits at a cursor. */
export interface Known {
  readonly names: readonly KnownName[]
  /** Where the text begins that a name replaces; it ends at the cursor. */
  readonly start: number
}

/** The methods of `HostDump` that take such a name as their first argument. */
const methods = ['task', 'vm', 'symbol'] as const
type Method = (typeof methods)[number]

/** The names of all dumps that were opened. */
export class KnownNames {
  readonly #dumps: DumpNames[] = []

  add(names: DumpNames): void {
    this.#dumps.push(names)
  }

  forget(): void {
    this.#dumps.length = 0
  }

  /** The names that can stand at `at`, at most `limit`; undefined where the API takes none. */
  at(program: ts.Program, path: string, at: number, limit: number): Known | undefined {
    const source = program.getSourceFile(path)
    const place = source && argumentAt(source, at)
    if (source === undefined || place === undefined) return undefined
    const method = methodOf(program.getTypeChecker().getResolvedSignature(place.call))
    if (method === undefined) return undefined
    const { start, quoted } = place
    const typed = source.text.slice(start, at)
    const found = new Map<string, KnownName>()
    for (const { name, kind } of this.#all(method, typed, limit)) {
      if (!name.toLowerCase().startsWith(typed.toLowerCase())) continue
      // A pid is a number as well; other names are offered with the quotes that they need.
      const text = quoted || method === 'task' ? name : JSON.stringify(name)
      found.set(name, { name: text, kind })
      if (found.size === limit) break
    }
    return { names: [...found.values()], start }
  }

  *#all(method: Method, typed: string, limit: number): Generator<KnownName> {
    for (const { tasks, vms, symbols } of this.#dumps) {
      if (method === 'task') for (const { pid, comm } of tasks) yield pidOf(pid, comm)
      else if (method === 'vm') for (const name of vms) yield { name, kind: 'vm' }
      else for (const name of withPrefix(symbols, typed, limit)) yield { name, kind: 'symbol' }
    }
  }
}

/** Beside a pid stands what runs there, which says more than any kind. */
function pidOf(pid: number, comm: string): KnownName {
  return { name: String(pid), kind: /^[ -~]+$/.test(comm) ? comm : 'task' }
}

/** The lines of a sorted text that begin with `prefix`, at most `limit`. */
function* withPrefix(lines: string, prefix: string, limit: number): Generator<string> {
  let at = lines.startsWith(prefix) ? 0 : lines.indexOf(`\n${prefix}`) + 1
  for (let count = 0; count < limit && lines.startsWith(prefix, at); count++) {
    const end = lines.indexOf('\n', at)
    if (end < 0) return
    yield lines.slice(at, end)
    at = end + 1
  }
}

interface Place {
  readonly call: ts.CallExpression
  readonly start: number
  readonly quoted: boolean
}

/** The call whose first argument is being written at `at`: a text, a number, or nothing yet. */
function argumentAt(source: ts.SourceFile, at: number): Place | undefined {
  let found: Place | undefined
  const walk = (node: ts.Node): void => {
    if (at < node.pos || at > node.end) return
    if (ts.isCallExpression(node)) found = placeIn(node, source, at) ?? found
    ts.forEachChild(node, walk)
  }
  walk(source)
  return found
}

function placeIn(call: ts.CallExpression, source: ts.SourceFile, at: number): Place | undefined {
  const [first] = call.arguments
  if (first === undefined) {
    const open = call.arguments.pos
    return at >= open && source.text.slice(open, at).trim() === ''
      ? { call, start: at, quoted: false }
      : undefined
  }
  const start = first.getStart(source)
  if (at < start || at > first.end) return undefined
  if (ts.isNumericLiteral(first)) return { call, start, quoted: false }
  if (!ts.isStringLiteralLike(first) || at === start) return undefined
  const closed = first.end > start + 1 && source.text[first.end - 1] === source.text[start]
  return closed && at === first.end ? undefined : { call, start: start + 1, quoted: true }
}

/** Whether a call is one of those methods of the API's dump. */
function methodOf(signature: ts.Signature | undefined): Method | undefined {
  const declaration = signature?.declaration
  if (declaration === undefined || !ts.isMethodDeclaration(declaration)) return undefined
  const { name, parent } = declaration
  if (!ts.isClassDeclaration(parent) || parent.name?.text !== 'HostDump') return undefined
  return ts.isIdentifier(name) ? methods.find((method) => method === name.text) : undefined
}
