// SPDX-License-Identifier: GPL-2.0-or-later
// The rewriting of all that stands inside a cell's statements: names to boxes, awaits that can be stopped.
import ts from 'typescript'
import { assignList, assignTarget, isBoxedVar } from './bindings.ts'
import { type Boxes, standingFor } from './boxes.ts'

/** `$cell.MEMBER`: what the session hands to each cell. */
export function cellMember(factory: ts.NodeFactory, member: string): ts.Expression {
  return factory.createPropertyAccessExpression(factory.createIdentifier('$cell'), member)
}

/** `$cell.MEMBER(…)`. */
export function cellCall(
  factory: ts.NodeFactory,
  member: string,
  given: readonly ts.Expression[],
): ts.Expression {
  return factory.createCallExpression(cellMember(factory, member), undefined, given)
}

/** Rewrites nodes of one cell; types are left as they are, the compiler drops them later. */
export class ExpressionRewriter {
  readonly #boxes: Boxes
  readonly #context: ts.TransformationContext
  readonly #factory: ts.NodeFactory

  constructor(boxes: Boxes, context: ts.TransformationContext) {
    this.#boxes = boxes
    this.#context = context
    this.#factory = context.factory
  }

  readonly visit = (node: ts.Node): ts.Node => {
    if (ts.isIdentifier(node)) return this.#boxes.read(node) ?? node
    // `extends Base<T>` is a type node with an expression in it.
    if (ts.isExpressionWithTypeArguments(node)) {
      return this.#factory.updateExpressionWithTypeArguments(
        node,
        this.expression(node.expression),
        node.typeArguments,
      )
    }
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node)) return node
    if (ts.isTypeAliasDeclaration(node)) return node
    if (ts.isShorthandPropertyAssignment(node)) return this.#shorthand(node)
    if (ts.isCallExpression(node)) return this.#call(node)
    if (ts.isTaggedTemplateExpression(node)) return this.#tagged(node)
    if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) {
      return cellMember(this.#factory, 'meta')
    }
    if (ts.isAwaitExpression(node) && this.#isOwn) return this.#await(node)
    if (ts.isForOfStatement(node)) return this.#forOf(node)
    if (ts.isForInStatement(node)) return this.#forIn(node)
    if (ts.isForStatement(node)) return this.#for(node)
    if (ts.isVariableStatement(node) && isBoxedVar(node.declarationList, this.#boxes)) {
      return this.#factory.createExpressionStatement(this.#assign(node.declarationList))
    }
    if (ts.isClassDeclaration(node) || ts.isEnumDeclaration(node) || ts.isModuleDeclaration(node)) {
      return this.#boxes.whileMaking(node, () => this.#below(node))
    }
    return this.#below(node)
  }

  /** The rewritten expression. */
  readonly expression = (node: ts.Expression): ts.Expression => this.visit(node) as ts.Expression

  /** Whether an `await` here is the cell's own, and not that of a function. */
  get #isOwn(): boolean {
    return this.#boxes.functions === 0
  }

  #below<Node extends ts.Node>(node: Node): Node {
    // The value of a class's field is made in a constructor.
    const isFunction =
      ts.isFunctionLike(node) ||
      ts.isClassStaticBlockDeclaration(node) ||
      ts.isPropertyDeclaration(node)
    if (isFunction) this.#boxes.functions++
    const rewritten = ts.visitEachChild(node, this.visit, this.#context)
    if (isFunction) this.#boxes.functions--
    return rewritten
  }

  #statement(node: ts.Statement): ts.Statement {
    return this.visit(node) as ts.Statement
  }

  /** `{ a }` becomes `{ a: $box$a.v }`, also on the left side of an assignment. */
  #shorthand(node: ts.ShorthandPropertyAssignment): ts.Node {
    const fallback =
      node.objectAssignmentInitializer && this.expression(node.objectAssignmentInitializer)
    const box = this.#boxes.readShorthand(node)
    if (box === undefined) {
      return this.#factory.updateShorthandPropertyAssignment(node, node.name, fallback)
    }
    const value = fallback === undefined ? box : this.#factory.createAssignment(box, fallback)
    const key = this.#factory.createIdentifier(node.name.text)
    return ts.setTextRange(this.#factory.createPropertyAssignment(key, value), node)
  }

  #call(node: ts.CallExpression): ts.Node {
    const given = this.#below(node)
    const callee =
      node.expression.kind === ts.SyntaxKind.ImportKeyword
        ? cellMember(this.#factory, 'import')
        : this.#withoutThis(node.expression)
    if (callee === undefined) return given
    return ts.isCallChain(given)
      ? this.#factory.updateCallChain(
          given,
          callee,
          given.questionDotToken,
          given.typeArguments,
          given.arguments,
        )
      : this.#factory.updateCallExpression(given, callee, given.typeArguments, given.arguments)
  }

  #tagged(node: ts.TaggedTemplateExpression): ts.Node {
    const given = this.#below(node)
    const tag = this.#withoutThis(node.tag)
    return tag === undefined
      ? given
      : this.#factory.updateTaggedTemplateExpression(
          given,
          tag,
          given.typeArguments,
          given.template,
        )
  }

  /** `(0, $box$f.v)` for `f`: called plainly, the function would get the box as its `this`. */
  #withoutThis(callee: ts.Expression): ts.Expression | undefined {
    let bare = callee
    // Parentheses and types around a name fall away or change nothing.
    while (isWrapping(bare)) bare = bare.expression
    const box = this.#boxes.read(bare)
    if (box === undefined) return undefined
    const zero = this.#factory.createNumericLiteral(0)
    const pair = this.#factory.createParenthesizedExpression(this.#factory.createComma(zero, box))
    return standingFor(pair, callee)
  }

  /** An interrupt must end a cell that waits: `$cell.until` gives up where the promise does not. */
  #await(node: ts.AwaitExpression): ts.Node {
    const promise = this.expression(node.expression)
    return this.#factory.updateAwaitExpression(node, cellCall(this.#factory, 'until', [promise]))
  }

  #forOf(node: ts.ForOfStatement): ts.Node {
    const items = this.expression(node.expression)
    const own = node.awaitModifier !== undefined && this.#isOwn
    return this.#factory.updateForOfStatement(
      node,
      node.awaitModifier,
      this.#loopTarget(node.initializer),
      own ? cellCall(this.#factory, 'each', [items]) : items,
      this.#statement(node.statement),
    )
  }

  #forIn(node: ts.ForInStatement): ts.Node {
    return this.#factory.updateForInStatement(
      node,
      this.#loopTarget(node.initializer),
      this.expression(node.expression),
      this.#statement(node.statement),
    )
  }

  #for(node: ts.ForStatement): ts.Node {
    const start = node.initializer
    if (start === undefined || !this.#isBoxedList(start)) return this.#below(node)
    return this.#factory.updateForStatement(
      node,
      this.#assign(start),
      node.condition && this.expression(node.condition),
      node.incrementor && this.expression(node.incrementor),
      this.#statement(node.statement),
    )
  }

  #loopTarget(initializer: ts.ForInitializer): ts.ForInitializer {
    const name = this.#isBoxedList(initializer) ? initializer.declarations[0]?.name : undefined
    return name === undefined
      ? (this.visit(initializer) as ts.ForInitializer)
      : assignTarget(name, this.#boxes, this.#factory, this.expression)
  }

  #isBoxedList(initializer: ts.ForInitializer): initializer is ts.VariableDeclarationList {
    return ts.isVariableDeclarationList(initializer) && isBoxedVar(initializer, this.#boxes)
  }

  #assign(list: ts.VariableDeclarationList): ts.Expression {
    const assignments = assignList(list, this.#boxes, this.#factory, this.expression)
    const [first, ...more] = assignments
    return more.reduce<ts.Expression>(
      (left, right) => this.#factory.createComma(left, right),
      first ?? this.#factory.createVoidZero(),
    )
  }
}

function isWrapping(
  node: ts.Expression,
): node is
  | ts.ParenthesizedExpression
  | ts.AsExpression
  | ts.SatisfiesExpression
  | ts.NonNullExpression
  | ts.TypeAssertion {
  return (
    ts.isParenthesizedExpression(node) ||
    ts.isAsExpression(node) ||
    ts.isSatisfiesExpression(node) ||
    ts.isNonNullExpression(node) ||
    ts.isTypeAssertionExpression(node)
  )
}
