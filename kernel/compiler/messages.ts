// SPDX-License-Identifier: GPL-2.0-or-later
// What a type error says: TypeScript's words, but for what they cannot know of cells and their names.
import type ts from 'typescript'
import type { NameKind } from './celltext.ts'
import type { LiveNames } from './names.ts'
import { nearest } from './near.ts'

/** A live name as a reader calls it, after "it is". */
const kindText: Record<NameKind, string> = {
  const: 'a const',
  let: 'a variable',
  function: 'a function',
  class: 'a class',
  enum: 'an enum',
  namespace: 'a namespace',
  type: 'a type',
  import: 'an import',
}

/** The message of a diagnostic in a cell; `code` is the cell's own text. */
export function messageOf(diagnostic: ts.Diagnostic, code: string, live: LiveNames): string {
  const start = diagnostic.start ?? 0
  const name = code.slice(start, start + (diagnostic.length ?? 0))
  // "Cannot assign to 'x' because it is an import": one that only our generated text has.
  if (diagnostic.code === 2632) return assignedMessage(name, live)
  const near = unknown.has(diagnostic.code) ? nearest(namesOf(live), name) : undefined
  if (near !== undefined) return `Cannot find name '${name}'. Did you mean '${near}'?`
  if (diagnostic.code === 2307) return missingModule(name)
  return shortened(diagnostic.messageText)
}

/** A name that is not there; TypeScript knows only those that the cell mentions. */
const unknown: ReadonlySet<number> = new Set([2304, 2552])

function* namesOf(live: LiveNames): Generator<string> {
  for (const [name] of live.all()) yield name
}

/** For an import that leads nowhere; `literal` is what stands in the cell, with its quotes. */
function missingModule(literal: string): string {
  const specifier = literal.slice(1, -1)
  return /^[./]/.test(specifier)
    ? `Cannot find '${specifier}': no such file, seen from the notebook's folder.`
    : `Cannot find package '${specifier}': it is not installed in the notebook's folder or above it.`
}

/** Types are cut to this many letters. */
const longestType = 100

/**
 * TypeScript explains a mismatch from the outside to the inside, over as many steps as the types are deep. What was
 * expected stands in the first line, what is wrong in the last: the steps between are left out.
 */
function shortened(message: string | ts.DiagnosticMessageChain): string {
  if (typeof message === 'string') return cut(message)
  const leaf = leafOf(message)
  return cut(message.messageText) + (leaf === message ? '' : `\n  ${cut(leaf.messageText)}`)
}

/** The innermost reason; of several overloads the last one's, which is the most general. */
function leafOf(chain: ts.DiagnosticMessageChain): ts.DiagnosticMessageChain {
  let leaf = chain
  for (let next = leaf.next?.at(-1); next !== undefined; next = leaf.next?.at(-1)) leaf = next
  return leaf
}

function cut(text: string): string {
  return text.replace(/'([^']+)'/g, (whole, type: string) =>
    type.length > longestType ? `'${type.slice(0, longestType)}…'` : whole,
  )
}

/** For an assignment to what lives on from an older cell, or to a name that every cell has. */
function assignedMessage(name: string, live: LiveNames): string {
  const origin = live.get(name)
  if (origin === undefined) {
    return `Cannot assign to '${name}': it is imported. Declare a name of your own.`
  }
  if (!origin.module.startsWith('./')) {
    return `Cannot assign to '${name}': every cell has it. Declare it to have your own: let ${name} = …`
  }
  const cell = origin.module.slice(2)
  const mend = origin.kind === 'const' ? ', or use let there' : ''
  return `Cannot assign to '${name}': it is ${kindText[origin.kind]} of ${cell}. Declare it again${mend}.`
}
