// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a name that is declared again still fits the functions that were compiled with its old type.
import ts from 'typescript'
import { namesOfStatement } from './celltext.ts'

/** What older functions take a name for, which the cell in hand declares again. */
export interface Expectation {
  readonly name: string
  /** The module whose export of that name they were compiled with. */
  readonly module: string
}

/** An expectation that is not met, with both types as text. */
export interface Misfit extends Expectation {
  readonly was: string
  readonly is: string
}

/** The generated lines by which the program has the old types beside the new ones. */
export function expectedImports(expectations: readonly Expectation[]): string {
  return expectations
    .map(
      ({ name, module }, i) =>
        `\nimport type { ${name} as ${alias(i)} } from ${JSON.stringify(module)};`,
    )
    .join('')
}

/**
 * The expectations that the names of the cell `source` do not meet. A declaration that reads as the
 * old one does is no misfit, though its class may be another: a cell that is run again changes nothing.
 */
export function misfits(
  checker: ts.TypeChecker,
  source: ts.SourceFile,
  declarations: string,
  expectations: readonly Expectation[],
): Misfit[] {
  const exported = new Map(exportsOf(checker, source).map((symbol) => [symbol.name, symbol]))
  const aliases = new Map(importedNames(source).map((name) => [name.text, name]))
  return expectations.flatMap((expectation, i) => {
    const name = aliases.get(alias(i))
    const old = name && target(checker.getSymbolAtLocation(name), checker)
    const now = target(exported.get(expectation.name), checker)
    if (old === undefined || now === undefined) return []
    const was = widened(checker, checker.getTypeOfSymbol(old))
    const is = checker.getTypeOfSymbol(now)
    if (checker.isTypeAssignableTo(is, was)) return []
    const oldFile = old.declarations?.[0]?.getSourceFile()
    const oldText = oldFile && declarationText(oldFile, expectation.name)
    const newFile = ts.createSourceFile('now.d.ts', declarations, ts.ScriptTarget.ES2023, true)
    if (oldText !== undefined && oldText === declarationText(newFile, expectation.name)) return []
    const text = (type: ts.Type): string =>
      checker.typeToString(type, source).replaceAll(alias(i), expectation.name)
    return [{ ...expectation, was: text(was), is: text(widened(checker, is)) }]
  })
}

function alias(index: number): string {
  return `$expected$${index}`
}

function exportsOf(checker: ts.TypeChecker, source: ts.SourceFile): ts.Symbol[] {
  const module = checker.getSymbolAtLocation(source)
  return module === undefined ? [] : checker.getExportsOfModule(module)
}

function importedNames(source: ts.SourceFile): ts.Identifier[] {
  return source.statements.filter(ts.isImportDeclaration).flatMap(({ importClause }) => {
    const bindings = importClause?.namedBindings
    return bindings !== undefined && ts.isNamedImports(bindings)
      ? bindings.elements.map(({ name }) => name)
      : []
  })
}

/** The symbol itself where it stands for a value, not for a type alone. */
function target(symbol: ts.Symbol | undefined, checker: ts.TypeChecker): ts.Symbol | undefined {
  if (symbol === undefined) return undefined
  const end =
    (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol)
  return (end.flags & ts.SymbolFlags.Value) === 0 ? undefined : end
}

/** `const limit = 5` makes a type of its own for 5; who uses it is content with any number. */
function widened(checker: ts.TypeChecker, type: ts.Type): ts.Type {
  const single = type.isLiteral() || (type.flags & ts.TypeFlags.BooleanLiteral) !== 0
  return single ? checker.getBaseTypeOfLiteralType(type) : type
}

function declarationText(file: ts.SourceFile, name: string): string {
  return file.statements
    .filter((statement) => namesOfStatement(statement).some(([declared]) => declared === name))
    .map((statement) => statement.getText(file).replace(/^export /, ''))
    .join('\n')
}
