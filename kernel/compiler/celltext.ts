// SPDX-License-Identifier: GPL-2.0-or-later
// What a cell's text declares at its top level, and which names it mentions.
import ts from 'typescript'

/** How a name was declared: a `let` may be assigned to by later cells, the others not. */
export type NameKind =
  'const' | 'let' | 'function' | 'class' | 'enum' | 'namespace' | 'type' | 'import'

/** The names of one cell's text. */
export interface CellText {
  /** Declared at top level, `var` in nested blocks included. */
  readonly declared: ReadonlyMap<string, NameKind>
  /** Of `declared`, those that the text exports by itself. */
  readonly exported: ReadonlySet<string>
  /** The text of every identifier, whatever it stands for. */
  readonly mentioned: ReadonlySet<string>
}

/** Reads the names of a cell from its text alone, without types; faulty text gives what can be read. */
export function readCellText(code: string, fileName: string): CellText {
  const source = ts.createSourceFile(fileName, code, ts.ScriptTarget.ES2023, true)
  const declared = new Map<string, NameKind>()
  const exported = new Set<string>()
  for (const statement of source.statements) {
    for (const [name, kind] of namesOfStatement(statement)) {
      declared.set(name, kind)
      if (isExported(statement)) exported.add(name)
    }
  }
  forEachNestedVar(source, (list) => {
    for (const declaration of list.declarations) {
      for (const name of boundNames(declaration.name)) declared.set(name.text, 'let')
    }
  })
  const mentioned = new Set<string>()
  const collect = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) mentioned.add(node.text)
    ts.forEachChild(node, collect)
  }
  collect(source)
  return { declared, exported, mentioned }
}

/** The identifiers that a name or a destructuring pattern binds, in order. */
export function boundNames(name: ts.BindingName): ts.Identifier[] {
  if (ts.isIdentifier(name)) return [name]
  return name.elements.flatMap((element) =>
    ts.isOmittedExpression(element) ? [] : boundNames(element.name),
  )
}

/** Calls `visit` for each `var` that stands in a block, a loop or a branch, and so is the cell's own. */
export function forEachNestedVar(
  source: ts.SourceFile,
  visit: (list: ts.VariableDeclarationList) => void,
): void {
  const walk = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) || ts.isClassLike(node) || ts.isModuleDeclaration(node)) return
    if (ts.isVariableDeclarationList(node) && isVar(node)) visit(node)
    ts.forEachChild(node, walk)
  }
  for (const statement of source.statements) {
    if (!ts.isVariableStatement(statement)) walk(statement)
  }
}

/** Whether a list of declarations was written with `var`. */
export function isVar(list: ts.VariableDeclarationList): boolean {
  return (list.flags & ts.NodeFlags.BlockScoped) === 0
}

/** Whether a list of declarations was written with `let` or `var`: its names may be assigned to. */
function isAssignable(list: ts.VariableDeclarationList): boolean {
  return (list.flags & (ts.NodeFlags.Const | ts.NodeFlags.Using)) === 0
}

function isExported(statement: ts.Statement): boolean {
  return (
    ts.canHaveModifiers(statement) &&
    (ts.getModifiers(statement)?.some((one) => one.kind === ts.SyntaxKind.ExportKeyword) ?? false)
  )
}

/** The names that a statement at top level declares, each with its kind. */
export function namesOfStatement(statement: ts.Statement): [string, NameKind][] {
  if (ts.isVariableStatement(statement)) {
    const list = statement.declarationList
    const kind = isAssignable(list) ? 'let' : 'const'
    return list.declarations.flatMap((declaration) =>
      boundNames(declaration.name).map((name): [string, NameKind] => [name.text, kind]),
    )
  }
  if (ts.isImportDeclaration(statement)) return namesOfImport(statement.importClause)
  if (ts.isFunctionDeclaration(statement)) return named(statement.name, 'function')
  if (ts.isClassDeclaration(statement)) return named(statement.name, 'class')
  if (ts.isEnumDeclaration(statement)) return named(statement.name, 'enum')
  if (ts.isInterfaceDeclaration(statement)) return named(statement.name, 'type')
  if (ts.isTypeAliasDeclaration(statement)) return named(statement.name, 'type')
  // `declare module "x"` and `declare global` add to what exists elsewhere and bind no name.
  if (ts.isModuleDeclaration(statement) && ts.isIdentifier(statement.name)) {
    return (statement.flags & ts.NodeFlags.GlobalAugmentation) !== 0
      ? []
      : named(statement.name, 'namespace')
  }
  return []
}

function named(name: ts.Identifier | undefined, kind: NameKind): [string, NameKind][] {
  return name === undefined ? [] : [[name.text, kind]]
}

function namesOfImport(clause: ts.ImportClause | undefined): [string, NameKind][] {
  const bindings = clause?.namedBindings
  const names = [...named(clause?.name, 'import')]
  if (bindings === undefined) return names
  if (ts.isNamespaceImport(bindings)) return [...names, ...named(bindings.name, 'import')]
  return [...names, ...bindings.elements.flatMap((element) => named(element.name, 'import'))]
}
