// SPDX-License-Identifier: GPL-2.0-or-later
// What is known about the name at a cursor: its type, its documentation, where it was declared.
import ts from 'typescript'
import type { Inspection } from '../frames.ts'
import { readCellText } from './celltext.ts'
import type { Compiler } from './compiler.ts'
import { suffixOf } from './names.ts'
import { indexOfCodePoint } from './position.ts'

/** So many ways to call a function are read; a fifth is only looked up in documentation. */
const mostSignatures = 12

/**
 * Describes the name at `cursor` (in code points), or the function whose arguments are being
 * written there. With `detail` 1 the signatures of all overloads are added. Runs no user code.
 */
export function inspect(
  compiler: Compiler,
  code: string,
  cursor: number,
  detail: number,
): Inspection {
  const at = indexOfCodePoint(code, cursor)
  const path = openText(compiler, code)
  const { language } = compiler.service
  const info =
    language.getQuickInfoAtPosition(path, at) ??
    (at > 0 ? language.getQuickInfoAtPosition(path, at - 1) : undefined) ??
    calleeInfo(language, path, at)
  const signature = withoutAlias(ts.displayPartsToString(info?.displayParts))
  // What nobody has declared is of type any to TypeScript.
  const isUnknown = info?.kind === ts.ScriptElementKind.unknown && signature === 'any'
  if (info === undefined || isUnknown) return { found: false, data: {} }

  const documentation = ts.displayPartsToString(info.documentation)
  const tags = (info.tags ?? []).map((tag) => `@${tag.name} ${ts.displayPartsToString(tag.text)}`)
  // `const f: F` does not tell how to call f, even if that is all that is asked.
  const wanted = detail > 0 || !/[(<]/.test(signature.replace(/^\(\w+\) /, ''))
  const overloads = wanted ? signaturesOf(compiler, code, info.textSpan) : []
  const calls = overloads.filter((call) => !signature.endsWith(call)).slice(0, mostSignatures)
  const heading = [signature, ...calls].join('\n')
  const paragraphs = [documentation, tags.join('\n')].filter((paragraph) => paragraph !== '')
  return {
    found: true,
    data: {
      'text/plain': [heading, ...paragraphs].join('\n\n'),
      'text/markdown': [`\`\`\`typescript\n${heading}\n\`\`\``, ...paragraphs].join('\n\n'),
    },
  }
}

/** Makes `code` with the names of older cells the file in hand. */
function openText(compiler: Compiler, code: string): string {
  const text = readCellText(code, 'inspect.ts')
  return compiler.service.host.setCell(code + suffixOf(text, compiler.live))
}

/** Inside `f(…)` where nothing else is known: about `f`. */
function calleeInfo(
  language: ts.LanguageService,
  path: string,
  at: number,
): ts.QuickInfo | undefined {
  const help = language.getSignatureHelpItems(path, at, undefined)
  return help && language.getQuickInfoAtPosition(path, help.applicableSpan.start - 2)
}

/** How a function can be called: asked as if it were being called where its name stands. */
function signaturesOf(compiler: Compiler, code: string, name: ts.TextSpan): string[] {
  const end = name.start + name.length
  const path = openText(compiler, `${code.slice(0, end)}()${code.slice(end)}`)
  const help = compiler.service.language.getSignatureHelpItems(path, end + 1, undefined)
  if (help?.applicableSpan.start !== end + 1) return []
  return help.items.map((item) => {
    const parameters = item.parameters
      .map((parameter) => ts.displayPartsToString(parameter.displayParts))
      .join(ts.displayPartsToString(item.separatorDisplayParts))
    const prefix = ts.displayPartsToString(item.prefixDisplayParts)
    return prefix + parameters + ts.displayPartsToString(item.suffixDisplayParts)
  })
}

/** A name of an older cell is an import in the generated text, which the reader never wrote. */
function withoutAlias(signature: string): string {
  return signature
    .replace(/^\(alias\) (?=[\w$]+[(<])/, 'function ')
    .replace(/^\(alias\) /, '')
    .replace(/\nimport [\w$]+$/, '')
}
