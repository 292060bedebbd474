// SPDX-License-Identifier: GPL-2.0-or-later
// Boxes: where the value of a top-level name lies, and which identifiers mean such a name.
import ts from 'typescript'
import { boundNames, forEachNestedVar } from './celltext.ts'

/** The parameter of the cell's function that holds the box of `name`. */
export function boxName(name: string): string {
  return `$box$${name}`
}

/**
 * Gives generated code the place of what it stands for. Only its beginning is mapped: a traceback
 * names a call by its opening parenthesis, and must come out at the beginning of the callee.
 */
export function standingFor<Node extends ts.Node>(generated: Node, original: ts.Node): Node {
  ts.setEmitFlags(generated, ts.EmitFlags.NoTrailingSourceMap)
  return ts.setTextRange(generated, original)
}

/** What the rewriting of a cell finds out about its names. */
export class BoxUse {
  /** The names whose boxes the rewritten cell needs. */
  readonly names = new Set<string>()
  /** Of each declared name, the boxes that its functions look into when they are called. */
  readonly later = new Map<string, ReadonlySet<string>>()
}

/** The names of one cell that are boxes: its own top-level ones, and those of older cells. */
export class Boxes {
  /** How many functions stand around the node in hand. */
  functions = 0
  readonly #use: BoxUse
  #later = new Set<string>()
  readonly #declarations: ReadonlySet<ts.Node>
  readonly #beingMade = new Set<ts.Node>()
  readonly #checker: ts.TypeChecker
  readonly #factory: ts.NodeFactory

  constructor(
    source: ts.SourceFile,
    checker: ts.TypeChecker,
    factory: ts.NodeFactory,
    use: BoxUse,
  ) {
    this.#declarations = topLevelDeclarations(source)
    this.#checker = checker
    this.#factory = factory
    this.#use = use
  }

  /** The expression `$box$a.v` for the name `a`, at the place where `a` stood. */
  of(name: ts.Identifier): ts.Expression {
    this.#use.names.add(name.text)
    if (this.functions > 0) this.#later.add(name.text)
    const box = this.#factory.createIdentifier(boxName(name.text))
    return standingFor(this.#factory.createPropertyAccessExpression(box, 'v'), name)
  }

  /** The same, if `node` is an identifier that means a boxed name here. */
  read(node: ts.Node): ts.Expression | undefined {
    if (!ts.isIdentifier(node) || isNameOfParent(node)) return undefined
    return this.#isBoxed(this.#checker.getSymbolAtLocation(node)) ? this.of(node) : undefined
  }

  /** The same for `a` in `{ a }`. */
  readShorthand(node: ts.ShorthandPropertyAssignment): ts.Expression | undefined {
    return this.#isBoxed(this.#checker.getShorthandAssignmentValueSymbol(node))
      ? this.of(node.name)
      : undefined
  }

  /** The statement that declares `names` has been rewritten: what its functions use is theirs. */
  endStatement(names: readonly string[]): void {
    for (const name of names) this.#use.later.set(name, this.#later)
    this.#later = new Set()
  }

  /** Whether this is the declaring occurrence of a boxed name. */
  declares(name: ts.Identifier): boolean {
    return this.#declarations.has(name.parent)
  }

  /** Inside a class, enum or namespace its name means itself: its box has no value yet. */
  whileMaking<Made>(declaration: ts.Node, make: () => Made): Made {
    this.#beingMade.add(declaration)
    const made = make()
    this.#beingMade.delete(declaration)
    return made
  }

  #isBoxed(symbol: ts.Symbol | undefined): boolean {
    const declarations = symbol?.declarations ?? []
    return (
      declarations.some((one) => this.#declarations.has(one)) &&
      !declarations.some((one) => this.#beingMade.has(one))
    )
  }
}

/** Whether the identifier is what its parent is called, as in `function f` or `o.f`: no use of a value. */
function isNameOfParent(node: ts.Identifier): boolean {
  return 'name' in node.parent && node.parent.name === node
}

/** The nodes that declare the top-level names of a file, the generated suffix included. */
function topLevelDeclarations(source: ts.SourceFile): Set<ts.Node> {
  const found = new Set<ts.Node>()
  const addList = (list: ts.VariableDeclarationList): void => {
    for (const one of list.declarations) {
      for (const name of boundNames(one.name)) found.add(name.parent)
    }
  }
  forEachNestedVar(source, addList)
  for (const statement of source.statements) {
    if (ts.isVariableStatement(statement)) addList(statement.declarationList)
    if (
      ts.isFunctionDeclaration(statement) ||
      ts.isClassDeclaration(statement) ||
      ts.isEnumDeclaration(statement) ||
      ts.isModuleDeclaration(statement)
    ) {
      found.add(statement)
    }
    if (!ts.isImportDeclaration(statement) || statement.importClause === undefined) continue
    found.add(statement.importClause)
    const bindings = statement.importClause.namedBindings
    if (bindings === undefined) continue
    if (ts.isNamespaceImport(bindings)) found.add(bindings)
    else for (const element of bindings.elements) found.add(element)
  }
  return found
}
