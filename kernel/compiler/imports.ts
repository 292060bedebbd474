// SPDX-License-Identifier: GPL-2.0-or-later
// Import declarations as statements: `import { a } from "m"` becomes a load of "m" and a box for `a`.
import ts from 'typescript'
import { type Boxes, boxName } from './boxes.ts'
import { cellCall } from './expressions.ts'

/**
 * The statements for one import declaration: none when it brings types only.
 *
 * Unlike in a module, an import that the cell does not use is still made: a later cell may use it.
 */
export function importStatements(
  declaration: ts.ImportDeclaration,
  boxes: Boxes,
  checker: ts.TypeChecker,
  factory: ts.NodeFactory,
): ts.Statement[] {
  const bound = boundValues(declaration.importClause, checker)
  if (declaration.importClause !== undefined && bound.length === 0) return []
  const load = factory.createAwaitExpression(
    cellCall(factory, 'import', [declaration.moduleSpecifier, ...options(declaration, factory)]),
  )
  if (bound.length === 0) return [placed(factory.createExpressionStatement(load), declaration)]
  const module = factory.createUniqueName('module')
  const loaded = factory.createVariableStatement(
    undefined,
    factory.createVariableDeclarationList(
      [factory.createVariableDeclaration(module, undefined, undefined, load)],
      ts.NodeFlags.Const,
    ),
  )
  const stores = bound.map(({ name, exported }) => {
    const value =
      exported === undefined
        ? module
        : factory.createElementAccessExpression(module, factory.createStringLiteral(exported))
    return placed(
      factory.createExpressionStatement(factory.createAssignment(boxes.of(name), value)),
      name,
    )
  })
  return [placed(loaded, declaration), ...stores, ...kept(declaration, bound, factory)]
}

/** Tells the session which boxes hold what a file beside the notebook exports: it may be edited. */
function kept(
  { moduleSpecifier }: ts.ImportDeclaration,
  bound: readonly Bound[],
  factory: ts.NodeFactory,
): ts.Statement[] {
  if (!ts.isStringLiteral(moduleSpecifier) || !/^[./]/.test(moduleSpecifier.text)) return []
  const pairs = bound.map(({ name, exported }) => {
    const box = factory.createIdentifier(boxName(name.text))
    const given = exported === undefined ? [] : [factory.createStringLiteral(exported)]
    return factory.createArrayLiteralExpression([box, ...given])
  })
  const list = factory.createArrayLiteralExpression(pairs)
  return [factory.createExpressionStatement(cellCall(factory, 'keep', [moduleSpecifier, list]))]
}

/** A name that gets a value; `exported` is absent for the whole module. */
interface Bound {
  readonly name: ts.Identifier
  readonly exported?: string
}

/** The names that an import binds to values. */
function boundValues(clause: ts.ImportClause | undefined, checker: ts.TypeChecker): Bound[] {
  if (clause === undefined || clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return []
  const found: Bound[] = []
  if (clause.name !== undefined) found.push({ name: clause.name, exported: 'default' })
  const bindings = clause.namedBindings
  if (bindings !== undefined && ts.isNamespaceImport(bindings)) found.push({ name: bindings.name })
  if (bindings !== undefined && ts.isNamedImports(bindings)) {
    for (const element of bindings.elements) {
      if (element.isTypeOnly) continue
      found.push({ name: element.name, exported: (element.propertyName ?? element.name).text })
    }
  }
  return found.filter(({ name }) => isValue(checker.getSymbolAtLocation(name), checker))
}

/** A name of unknown type (a package without declarations) counts as a value. */
function isValue(symbol: ts.Symbol | undefined, checker: ts.TypeChecker): boolean {
  if (symbol === undefined || (symbol.flags & ts.SymbolFlags.Alias) === 0) return true
  const target = checker.getAliasedSymbol(symbol)
  return target.declarations === undefined || (target.flags & ts.SymbolFlags.Value) !== 0
}

/** `with { type: "json" }` as the second argument that dynamic import takes. */
function options(declaration: ts.ImportDeclaration, factory: ts.NodeFactory): ts.Expression[] {
  if (declaration.attributes === undefined) return []
  const attributes = declaration.attributes.elements.map((one) =>
    factory.createPropertyAssignment(one.name, one.value),
  )
  const given = factory.createObjectLiteralExpression(attributes)
  return [factory.createObjectLiteralExpression([factory.createPropertyAssignment('with', given)])]
}

function placed<Statement extends ts.Statement>(statement: Statement, at: ts.Node): Statement {
  return ts.setTextRange(statement, at)
}
