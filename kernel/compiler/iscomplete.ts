// SPDX-License-Identifier: GPL-2.0-or-later
// Whether Enter should run a cell or begin its next line.
import ts from 'typescript'
import type { Completeness } from '../frames.ts'

/** Whether a cell can run as it stands, wants more lines, or is wrong. */
export function isComplete(code: string): Completeness {
  const { diagnostics = [] } = ts.transpileModule(code, {
    reportDiagnostics: true,
    fileName: 'iscomplete.ts',
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
  })
  if (diagnostics.length === 0) return { status: 'complete' }
  // What is missing at the very end may still come; anything before cannot be mended by more lines.
  const end = code.trimEnd().length
  return diagnostics.every(({ start }) => start !== undefined && start >= end)
    ? { status: 'incomplete', indent: indentAfter(code) }
    : { status: 'invalid' }
}

/** Two spaces for each bracket that is open at the end. */
function indentAfter(code: string): string {
  const scanner = ts.createScanner(ts.ScriptTarget.ES2023, true, ts.LanguageVariant.Standard, code)
  let open = 0
  for (let token = scanner.scan(); token !== ts.SyntaxKind.EndOfFileToken; token = scanner.scan()) {
    if (opening.has(token)) open++
    if (closing.has(token)) open = Math.max(0, open - 1)
  }
  return '  '.repeat(open)
}

const opening = new Set([
  ts.SyntaxKind.OpenBraceToken,
  ts.SyntaxKind.OpenParenToken,
  ts.SyntaxKind.OpenBracketToken,
])
const closing = new Set([
  ts.SyntaxKind.CloseBraceToken,
  ts.SyntaxKind.CloseParenToken,
  ts.SyntaxKind.CloseBracketToken,
])
