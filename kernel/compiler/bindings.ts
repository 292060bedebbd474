// SPDX-License-Identifier: GPL-2.0-or-later
// Declarations as assignments: `const { a, ...rest } = o` becomes `({ a: $box$a.v, ...$box$rest.v } = o)`.
import ts from 'typescript'
import type { Boxes } from './boxes.ts'
import { boundNames, isVar } from './celltext.ts'

/** Rewrites an expression inside a declaration: an initial value, a default, a computed key. */
export type RewriteExpression = (expression: ts.Expression) => ts.Expression

/** One assignment for each declaration of a list that gives a value. */
export function assignList(
  list: ts.VariableDeclarationList,
  boxes: Boxes,
  factory: ts.NodeFactory,
  rewrite: RewriteExpression,
): ts.Expression[] {
  return list.declarations.flatMap((one) => {
    // `let a` makes a new variable without a value, `var a` may stand after `a = 1`.
    if (one.initializer === undefined && isVar(list)) return []
    const value =
      one.initializer === undefined
        ? factory.createVoidZero()
        : withName(one.name, one.initializer, rewrite(one.initializer), factory)
    const target = assignTarget(one.name, boxes, factory, rewrite)
    const assignment = factory.createAssignment(target, value)
    return [
      ts.setTextRange(
        // A statement must not begin with a brace.
        ts.isObjectBindingPattern(one.name)
          ? factory.createParenthesizedExpression(assignment)
          : assignment,
        one,
      ),
    ]
  })
}

/** The left side that assigns to the boxes of a name or pattern. */
export function assignTarget(
  name: ts.BindingName,
  boxes: Boxes,
  factory: ts.NodeFactory,
  rewrite: RewriteExpression,
): ts.Expression {
  if (ts.isIdentifier(name)) return boxes.of(name)
  const target = (element: ts.BindingElement): ts.Expression => {
    const inner = assignTarget(element.name, boxes, factory, rewrite)
    return element.initializer === undefined
      ? inner
      : factory.createAssignment(
          inner,
          withName(element.name, element.initializer, rewrite(element.initializer), factory),
        )
  }
  if (ts.isArrayBindingPattern(name)) {
    return factory.createArrayLiteralExpression(
      name.elements.map((element) => {
        if (ts.isOmittedExpression(element)) return element
        return element.dotDotDotToken
          ? factory.createSpreadElement(target(element))
          : target(element)
      }),
    )
  }
  return factory.createObjectLiteralExpression(
    name.elements.map((element) => {
      if (element.dotDotDotToken) return factory.createSpreadAssignment(target(element))
      return factory.createPropertyAssignment(keyOf(element, factory, rewrite), target(element))
    }),
  )
}

/** Whether all names of the list are boxes: a `var` of the cell itself, wherever it stands. */
export function isBoxedVar(list: ts.VariableDeclarationList, boxes: Boxes): boolean {
  return (
    isVar(list) &&
    list.declarations.every((one) => boundNames(one.name).every((name) => boxes.declares(name)))
  )
}

function keyOf(
  element: ts.BindingElement,
  factory: ts.NodeFactory,
  rewrite: RewriteExpression,
): ts.PropertyName {
  const key = element.propertyName ?? element.name
  if (ts.isComputedPropertyName(key)) {
    return factory.updateComputedPropertyName(key, rewrite(key.expression))
  }
  if (ts.isIdentifier(key)) return factory.createIdentifier(key.text)
  if (ts.isObjectBindingPattern(key) || ts.isArrayBindingPattern(key)) {
    throw new TypeError('a pattern without a property name')
  }
  return key
}

/**
 * A function or class takes its name from the variable it is assigned to, but not from a box:
 * `({ f: () => 1 }).f` gives it back, for `f.name` and for tracebacks.
 */
function withName(
  name: ts.BindingName,
  original: ts.Expression,
  value: ts.Expression,
  factory: ts.NodeFactory,
): ts.Expression {
  let bare = original
  while (ts.isParenthesizedExpression(bare)) bare = bare.expression
  const anonymous =
    ts.isArrowFunction(bare) ||
    ((ts.isFunctionExpression(bare) || ts.isClassExpression(bare)) && bare.name === undefined)
  if (!ts.isIdentifier(name) || !anonymous) return value
  return factory.createPropertyAccessExpression(
    factory.createParenthesizedExpression(
      factory.createObjectLiteralExpression([
        factory.createPropertyAssignment(factory.createIdentifier(name.text), value),
      ]),
    ),
    factory.createIdentifier(name.text),
  )
}
