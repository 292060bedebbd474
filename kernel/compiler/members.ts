// SPDX-License-Identifier: GPL-2.0-or-later
// Members that are not there: the one that was meant, also where TypeScript finds the name too short.
import ts from 'typescript'
import { nearest } from './near.ts'

/** "Property 'x' does not exist on type 'T'", and the same with the name that was meant. */
const missing = 2339
const missingButNear = 2551

/** The diagnostics of the file at `path`, with the member that was meant where one is near. */
export function withNearMembers(
  program: ts.Program,
  path: string,
  diagnostics: readonly ts.Diagnostic[],
): ts.Diagnostic[] {
  return diagnostics.map((diagnostic) => {
    const { code, start, file, messageText } = diagnostic
    if (code !== missing || file?.fileName !== path || typeof messageText !== 'string') {
      return diagnostic
    }
    const access = accessAt(file, start ?? 0)
    if (access === undefined) return diagnostic
    const checker = program.getTypeChecker()
    const type = checker.getApparentType(checker.getTypeAtLocation(access.expression))
    const names = type.getProperties().map(({ name }) => name)
    const near = nearest(names, access.name.text)
    if (near === undefined) return diagnostic
    return {
      ...diagnostic,
      code: missingButNear,
      messageText: `${messageText} Did you mean '${near}'?`,
    }
  })
}

/** The `a.b` whose `b` begins at `start`. */
function accessAt(source: ts.Node, start: number): ts.PropertyAccessExpression | undefined {
  return ts.forEachChild(source, function walk(node): ts.PropertyAccessExpression | undefined {
    if (start < node.pos || start >= node.end) return undefined
    if (ts.isPropertyAccessExpression(node) && node.name.getStart() === start) return node
    return ts.forEachChild(node, walk)
  })
}
