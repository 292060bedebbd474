// SPDX-License-Identifier: GPL-2.0-or-later
// What a type error says: TypeScript's words, but for what they cannot know of cells and their names.
import ts from 'typescript'
import type { NameKind } from './celltext.ts'
import type { LiveNames } from './names.ts'

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
  return ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')
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
