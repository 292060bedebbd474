// SPDX-License-Identifier: GPL-2.0-or-later
// What is known about the name at a cursor: its type, its documentation, where it was declared.
import ts from 'typescript'
import type { Inspection } from '../frames.ts'
import { readCellText } from './celltext.ts'
import type { Compiler } from './compiler.ts'
import { suffixOf } from './names.ts'
import { indexOfCodePoint } from './position.ts'

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
  const text = readCellText(code, 'inspect.ts')
  const path = compiler.service.host.setCell('inspect.ts', code + suffixOf(text, compiler.live))
  const { language } = compiler.service
  const info =
    language.getQuickInfoAtPosition(path, at) ??
    (at > 0 ? language.getQuickInfoAtPosition(path, at - 1) : undefined) ??
    calleeInfo(language, path, at)
  if (info === undefined) return { found: false, data: {} }

  const signature = withoutAlias(ts.displayPartsToString(info.displayParts))
  const documentation = ts.displayPartsToString(info.documentation)
  const tags = (info.tags ?? []).map((tag) => `@${tag.name} ${ts.displayPartsToString(tag.text)}`)
  const overloads = detail > 0 ? signaturesOf(language, path, info.textSpan, code) : []
  const paragraphs = [documentation, tags.join('\n'), overloads.join('\n')].filter(
    (paragraph) => paragraph !== '',
  )
  return {
    found: true,
    data: {
      'text/plain': [signature, ...paragraphs].join('\n\n'),
      'text/markdown': [`\`\`\`typescript\n${signature}\n\`\`\``, ...paragraphs].join('\n\n'),
    },
  }
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

/** How a function can be called; asked as if its arguments were being written. */
function signaturesOf(
  language: ts.LanguageService,
  path: string,
  name: ts.TextSpan,
  code: string,
): string[] {
  const open = code.indexOf('(', name.start + name.length)
  if (open !== name.start + name.length) return []
  const help = language.getSignatureHelpItems(path, open + 1, undefined)
  return (help?.items ?? []).map((item) => {
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
