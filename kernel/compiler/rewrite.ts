// SPDX-License-Identifier: GPL-2.0-or-later
// How a cell becomes the body of a function: every top-level name is a box that all cells share.
//
// `const a = 1` becomes `$box$a.v = 1`, a use of `a` becomes `$box$a.v`, and the boxes are
// parameters of the function. So a name declared again is the same box with a new value, functions
// of older cells see that value, and access costs about what a local variable costs.
import ts from 'typescript'
import { assignList } from './bindings.ts'
import { Boxes, type BoxUse } from './boxes.ts'
import { boundNames, namesOfStatement } from './celltext.ts'
import { cellCall, ExpressionRewriter } from './expressions.ts'
import { importStatements } from './imports.ts'

/**
 * Rewrites the file of a cell whose own text is `length` characters long; the generated suffix
 * after it is dropped. What is found out about its names is noted in `use`.
 */
export function rewriteCell(
  source: ts.SourceFile,
  length: number,
  checker: ts.TypeChecker,
  context: ts.TransformationContext,
  use: BoxUse,
): ts.SourceFile {
  const { factory } = context
  const boxes = new Boxes(source, checker, factory, use)
  const rewriter = new ExpressionRewriter(boxes, context)
  const own = source.statements.filter((statement) => statement.getStart(source) < length)

  // Functions and imports are there before the first statement runs, wherever they stand.
  const first: ts.Statement[] = []
  const rest: ts.Statement[] = []
  for (const statement of own) {
    if (ts.isImportDeclaration(statement)) {
      first.push(...importStatements(statement, boxes, checker, factory))
      first.push(...reached(namesOfImport(statement)))
    } else if (ts.isFunctionDeclaration(statement) && statement.name !== undefined) {
      if (statement.body !== undefined) first.unshift(...stored(statement.name))
      rest.push(withoutExport(statement))
    } else if (statement === own.at(-1) && valueOf(statement) !== undefined) {
      rest.push(...returned(statement))
    } else {
      rest.push(...rewritten(statement))
    }
    boxes.endStatement(namesOfStatement(statement).map(([name]) => name))
  }
  return factory.updateSourceFile(
    source,
    ts.setTextRange(factory.createNodeArray([...first, ...rest]), source.statements),
  )

  function rewritten(statement: ts.Statement): ts.Statement[] {
    if (isAmbient(statement) || ts.isExportDeclaration(statement)) return []
    if (ts.isVariableStatement(statement)) return variables(statement)
    if (ts.isExportAssignment(statement)) {
      return [factory.createExpressionStatement(rewriter.expression(statement.expression))]
    }
    const made = withoutExport(statement)
    if (
      ts.isClassDeclaration(statement) ||
      ts.isEnumDeclaration(statement) ||
      ts.isModuleDeclaration(statement)
    ) {
      const { name } = statement
      const symbol = name && checker.getSymbolAtLocation(name)
      const hasValue = ((symbol?.flags ?? 0) & ts.SymbolFlags.Value) !== 0
      return name !== undefined && ts.isIdentifier(name) && hasValue
        ? [made, ...stored(name)]
        : [made]
    }
    return [made]
  }

  function variables(statement: ts.VariableStatement): ts.Statement[] {
    const list = statement.declarationList
    const names = list.declarations.flatMap((one) => boundNames(one.name))
    if ((list.flags & ts.NodeFlags.Using) !== 0) {
      // `using` stays a local variable, to be disposed of when the cell ends.
      return [withoutExport(statement), ...names.flatMap(stored)]
    }
    const assignments = assignList(list, boxes, factory, rewriter.expression)
    return [
      ...assignments.map((one) => ts.setTextRange(factory.createExpressionStatement(one), one)),
      ...reached(names),
    ]
  }

  /** Puts a function, class, enum or namespace that was just made into its box. */
  function stored(name: ts.Identifier): ts.Statement[] {
    const local = factory.createIdentifier(name.text)
    const store = factory.createAssignment(boxes.of(name), local)
    return [factory.createExpressionStatement(store), ...reached([name])]
  }

  /** Tells the session that these names have their values now: an error after this keeps them. */
  function reached(names: readonly ts.Identifier[]): ts.Statement[] {
    if (names.length === 0) return []
    const texts = names.map((name) => factory.createStringLiteral(name.text))
    return [factory.createExpressionStatement(cellCall(factory, 'reached', texts))]
  }

  /** The last expression is what the cell shows. In an object: a promise is shown, not awaited. */
  function returned(statement: ts.Statement): ts.Statement[] {
    const value = valueOf(statement)
    if (value === undefined) return []
    const property = factory.createPropertyAssignment('value', rewriter.expression(value))
    const result = factory.createReturnStatement(factory.createObjectLiteralExpression([property]))
    return [ts.setTextRange(result, statement)]
  }

  function withoutExport(statement: ts.Statement): ts.Statement {
    const made = rewriter.visit(statement) as ts.Statement
    const modifiers = ts.canHaveModifiers(made)
      ? ts
          .getModifiers(made)
          ?.filter(
            ({ kind }) =>
              kind !== ts.SyntaxKind.ExportKeyword && kind !== ts.SyntaxKind.DefaultKeyword,
          )
      : undefined
    return modifiers === undefined || !ts.canHaveModifiers(made)
      ? made
      : factory.replaceModifiers(made, modifiers)
  }
}

function valueOf(statement: ts.Statement): ts.Expression | undefined {
  return ts.isExpressionStatement(statement) || ts.isExportAssignment(statement)
    ? statement.expression
    : undefined
}

/** Whether the statement only describes what exists elsewhere: `declare …`, types. */
function isAmbient(statement: ts.Statement): boolean {
  if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) return true
  return (
    ts.canHaveModifiers(statement) &&
    (ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.DeclareKeyword) ?? false)
  )
}

function namesOfImport(statement: ts.ImportDeclaration): ts.Identifier[] {
  const clause = statement.importClause
  const bindings = clause?.namedBindings
  const names = clause?.name === undefined ? [] : [clause.name]
  if (bindings === undefined) return names
  if (ts.isNamespaceImport(bindings)) return [...names, bindings.name]
  return [...names, ...bindings.elements.map((element) => element.name)]
}
