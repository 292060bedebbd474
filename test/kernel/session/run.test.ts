// SPDX-License-Identifier: GPL-2.0-or-later
// What cells mean: each row is a few cells and the value of the last one.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { InProcessNotebook } from './inprocess.ts'

interface Row {
  readonly title: string
  readonly cells: readonly string[]
  readonly value: string
}

const rows: readonly Row[] = [
  {
    title: 'destructuring with defaults, rest, nesting and computed keys',
    cells: [
      'const key = "k"; const { a, b: { c = 3, ...inner }, [key]: d = a, ...rest } = { a: 1, b: { c: undefined, e: 4 }, f: 5, k: 6 } as any; let [p, , q = p, ...more] = [1, 2, undefined, 4, 5]',
      '[a, c, inner, d, rest, p, q, more]',
    ],
    value: '[ 1, 3, { e: 4 }, 6, { f: 5 }, 1, 1, [ 4, 5 ] ]',
  },
  {
    title: 'destructuring assignment, with shorthand and default',
    cells: ['let m = 1, n = 2', '({ m, n = 9 } = { m: 5 } as any); [m, n] = [n, m]; [m, n]'],
    value: '[ 9, 5 ]',
  },
  {
    title: 'shorthand properties',
    cells: ['const u = 1', 'const o = { u, v: u }', 'o'],
    value: '{ u: 1, v: 1 }',
  },
  {
    title: 'closures over names of older cells',
    cells: ['let count = 0; const up = () => ++count', 'up(); up(); count += 10', 'count'],
    value: '12',
  },
  {
    title: 'names shadowed by parameters, loops, blocks and catch',
    cells: [
      'const s = 1',
      'const out = []; function f(s: number) { return s * 2 } for (let s = 5; s < 6; s++) out.push(s); { const s = 7; out.push(s) } try { throw 8 } catch (s) { out.push(s) } out.push(f(9), s); out',
    ],
    value: '[ 5, 7, 8, 18, 1 ]',
  },
  {
    title: 'functions that are called above their declaration',
    cells: ['const early = twice(4); function twice(n: number) { return n * 2 }', 'early'],
    value: '8',
  },
  {
    title: 'recursive and mutually recursive functions',
    cells: [
      'function even(n: number): boolean { return n === 0 || odd(n - 1) } function odd(n: number): boolean { return n !== 0 && even(n - 1) }',
      '[even(10), odd(7)]',
    ],
    value: '[ true, true ]',
  },
  {
    title: 'an older function that sees a function declared again',
    cells: [
      'function g() { return 1 }',
      'function h() { return g() }',
      'function g() { return 2 }',
      'h()',
    ],
    value: '2',
  },
  {
    title: 'generators, async functions and async generators',
    cells: [
      'function* gen() { yield 1; yield 2 } async function later() { return 3 } async function* both() { yield 4 }',
      'const got = [...gen(), await later()]; for await (const x of both()) got.push(x); got',
    ],
    value: '[ 1, 2, 3, 4 ]',
  },
  {
    title: 'classes with statics of their own kind, private members and inheritance',
    cells: [
      'class Base { static made = new Base(); #n = 1; get n() { return this.#n } same() { return new Base().n } }',
      'class Derived extends Base { get n() { return super.n + 1 } }',
      '[Base.made.n, new Derived().n, new Derived().same(), new Derived() instanceof Base]',
    ],
    value: '[ 1, 2, 1, true ]',
  },
  {
    title: 'abstract classes and implemented interfaces',
    cells: [
      'interface Named { name: string } abstract class Shape implements Named { abstract name: string; hi() { return this.name } }',
      'class Square extends Shape { name = "square" }',
      'new Square().hi()',
    ],
    value: "'square'",
  },
  {
    title: 'enums, const enums and their use in later cells',
    cells: ['enum E { A = 1, B = A << 2 } const enum C { X = 7 }', '[E.B, E[4], C.X]'],
    value: "[ 4, 'B', 7 ]",
  },
  {
    title: 'namespaces with values and with types only',
    cells: [
      'const base = 2; namespace N { export const v = base + 1 } namespace T { export type X = number }',
      'const x: T.X = N.v; x',
    ],
    value: '3',
  },
  {
    title: 'generics',
    cells: ['function id<T>(x: T): T { return x }', 'id<string>("g").length'],
    value: '1',
  },
  {
    title: 'overloads',
    cells: [
      'function over(a: string): string; function over(a: number): number; function over(a: any) { return a }',
      'over(3).toFixed(1)',
    ],
    value: "'3.0'",
  },
  {
    title: 'var in loops, blocks and branches',
    cells: [
      'for (var i = 0; i < 3; i++) { var last = i } for (var k in { a: 1 }); for (var [x1] of [[9]]); if (true) { var deep }',
      '[i, last, k, x1, deep]',
    ],
    value: "[ 3, 2, 'a', 9, undefined ]",
  },
  {
    title: 'var after its assignment and var without a value',
    cells: ['w = 5; var w: number', 'w'],
    value: '5',
  },
  {
    title: 'let without a value makes a new variable',
    cells: ['let z = 1', 'let z: number', 'z === undefined'],
    value: 'true',
  },
  {
    title: 'increments and compound assignments',
    cells: ['let i2 = 1', 'i2++; ++i2; i2 *= 5; i2 ??= 0; i2'],
    value: '15',
  },
  {
    title: 'labels that are called like a variable',
    cells: ['const lab = 1; lab: for (;;) { for (;;) break lab } lab'],
    value: '1',
  },
  {
    title: 'tagged templates and optional calls without the box as this',
    cells: [
      'function self(this: unknown, ..._: unknown[]) { return this === undefined }',
      '[self(), self``, self?.(), (self)(), (self as any)(), self!()]',
    ],
    value: '[ true, true, true, true, true, true ]',
  },
  {
    title: 'names of functions and classes held in variables',
    cells: [
      'const arrow = () => 1, fn = function () {}, cls = class {}, given = function other() {}',
      '[arrow.name, fn.name, cls.name, given.name]',
    ],
    value: "[ 'arrow', 'fn', 'cls', 'other' ]",
  },
  {
    title: 'default and named imports, of a module of Node and of a package of CommonJS',
    cells: [
      'import path, { sep as separator } from "node:path"; import ts from "typescript"',
      '[path.join("a", "b"), separator, typeof ts.createProgram]',
    ],
    value: "[ 'a/b', '/', 'function' ]",
  },
  {
    title: 'imports of types only, which load nothing',
    cells: [
      'import type { Stats } from "node:fs"; import { type Dirent } from "node:fs"; const st: Stats = null; const d: Dirent = null',
      '[st, d]',
    ],
    value: '[ null, null ]',
  },
  {
    title: 'dynamic import',
    cells: ['const os = await import("node:os"); typeof os.cpus'],
    value: "'function'",
  },
  {
    title: 'import.meta and require',
    cells: ['import.meta.dirname === process.cwd()'],
    value: 'true',
  },
  {
    title: 'export, which changes nothing',
    cells: ['export const ex = 1; export default function dflt() { return 2 }', 'ex + dflt()'],
    value: '3',
  },
  { title: 'an object literal in parentheses', cells: ['({ a: 1 })'], value: '{ a: 1 }' },
  { title: 'a text that looks like a directive', cells: ['"use strict"'], value: "'use strict'" },
  { title: 'a comment as the last line', cells: ['1 + 1 // two'], value: '2' },
  {
    title: 'satisfies, as and non-null',
    cells: ['const sat = { a: 1 } satisfies { a: number }', '(sat as { a: number }).a!'],
    value: '1',
  },
  {
    title: 'decorators',
    cells: [
      'function twice2(_: unknown, context: ClassMethodDecoratorContext) { return function () { return String(context.name) } }',
      'class Dec { @twice2 m() { return "" } }; new Dec().m()',
    ],
    value: "'m'",
  },
  {
    title: 'a value whose type was declared again keeps the older type',
    cells: [
      'interface Opt { a: number }\nconst opt: Opt = { a: 1 }',
      'interface Opt { b: string }',
      'opt.a + 1',
    ],
    value: '2',
  },
]

suite('cells give the right value for', () => {
  const notebook = new InProcessNotebook()
  for (const { title, cells, value } of rows) {
    test(title, async () => {
      assert.deepEqual(await notebook.runAll(cells), { value })
    })
  }
})

const faults: readonly { title: string; cells: readonly string[]; error: RegExp }[] = [
  {
    title: 'assigning to a const of an older cell',
    cells: ['const one = 1', 'one = 2'],
    error: /cell-\d+\.ts:1:1 - error TS2632: Cannot assign to 'one': it is a const of cell-\d+/,
  },
  {
    title: 'a wrong type for a let of an older cell',
    cells: ['let text = "a"', '\n\n  text = 5'],
    error: /cell-\d+\.ts:3:3 - error TS2322/,
  },
  {
    title: 'a name declared twice in one cell',
    cells: ['const two = 1; const two = 2'],
    error: /1:7 - error TS2451/,
  },
  { title: 'an unclosed block', cells: ['if (true) {'], error: /1:12 - error TS1005/ },
  { title: 'an unclosed comment', cells: ['1 /* text'], error: /1:10 - error TS1010/ },
  { title: 'an operator without a right side', cells: ['1 +'], error: /1:4 - error TS1109/ },
  { title: 'an unclosed template', cells: ['`text'], error: /1:6 - error TS1160/ },
  {
    title: 'a member that is not there',
    cells: ['"a".lenght'],
    error: /1:5 - error TS2551: .*Did you mean 'length'/,
  },
  { title: 'a thrown text', cells: ['throw "plain"'], error: /Thrown: 'plain'/ },
  {
    title: 'an error with a cause',
    cells: ['throw new Error("outer", { cause: new TypeError("inner") })'],
    error: /Error: outer[^]*Caused by:\nTypeError: inner/,
  },
  {
    title: 'a missing module',
    cells: ['await import("no-such" + "-package")'],
    error: /Cannot find package 'no-such-package'/,
  },
]

suite('cells say what is wrong with', () => {
  const notebook = new InProcessNotebook()
  for (const { title, cells, error } of faults) {
    test(title, async () => {
      const outcome = await notebook.runAll(cells)
      assert.match('error' in outcome ? outcome.error : '', error)
    })
  }

  test('only the names that were reached before a throw live on', async () => {
    const outcome = await notebook.run(
      'const [r1, r2] = [1, 2]; function rf() { return r1 }\nthrow new Error("x"); const r3 = 3',
    )
    assert.match('error' in outcome ? outcome.error : '', /Error: x[^]*cell-\d+\.ts:2:7/)
    assert.deepEqual(await notebook.run('[r1, r2, rf()]'), { value: '[ 1, 2, 1 ]' })
    assert.match(JSON.stringify(await notebook.run('r3')), /Cannot find name 'r3'/)
  })

  test('a promise as the last value, by showing it and not waiting for it', async () => {
    const outcome = await notebook.run('new Promise(() => {})')
    assert.match('value' in outcome ? outcome.value : '', /^Promise \{\s+<pending>/)
  })

  test('a stopped cell, at its await, in its finally too', async () => {
    const running = notebook.run(
      'let done = 0; try { await new Promise(() => {}) } finally { done = 1 }',
    )
    await new Promise((resolve) => setTimeout(resolve, 20))
    notebook.stop()
    assert.match(JSON.stringify(await running), /Interrupted: the cell was stopped/)
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(await notebook.run('done'), { value: '1' })
  })
})
