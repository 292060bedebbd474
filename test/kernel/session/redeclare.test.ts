// SPDX-License-Identifier: GPL-2.0-or-later
// Names declared again: everything by everything, what older functions then see, and the warning.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { InProcessNotebook } from './inprocess.ts'

/** Ways to declare `x`, with an expression that only holds after it. */
const declarations: readonly (readonly [kind: string, code: string, holds: string])[] = [
  ['const', 'const x = 1', 'x === 1'],
  ['let', 'let x = "text"', 'x = x + "!", x === "text!"'],
  ['var', 'var x = [2]', 'x.push(3), x.length === 2'],
  ['destructuring', 'const { x, ...y } = { x: true, z: 1 }', 'x && y.z === 1'],
  ['function', 'function x(n: number) { return n + 1 }', 'x(2) === 3'],
  ['generator', 'function* x() { yield 4 }', '[...x()][0] === 4'],
  [
    'class',
    'class x { #secret = 5; get secret() { return this.#secret } }',
    'new x().secret === 5',
  ],
  ['abstract class', 'abstract class x { static made = 6 }', 'x.made === 6'],
  ['enum', 'enum x { A = 7 }', 'x.A === 7 && x[7] === "A"'],
  ['const enum', 'const enum x { B = 8 }', 'x.B === 8'],
  ['namespace', 'namespace x { export const c = 9 }', 'x.c === 9'],
  ['interface', 'interface x { d: number }', '({ d: 10 } satisfies x).d === 10'],
  ['type', 'type x = "e" | "f"', '("e" satisfies x) === "e"'],
  ['import', 'import { join as x } from "node:path"', 'x("a", "b") === "a/b"'],
  ['default import', 'import x from "node:path"', 'x.join("a", "b") === "a/b"'],
  ['namespace import', 'import * as x from "node:os"', 'x.EOL.length > 0'],
  ['type import', 'import type { Stats as x } from "node:fs"', '(null as x) === null'],
]

suite('a name declared again is what it was declared last', () => {
  const notebook = new InProcessNotebook()
  for (const [oldKind, oldCode, oldHolds] of declarations) {
    test(`${oldKind}, then everything else and ${oldKind} again`, async () => {
      for (const [kind, code, holds] of declarations) {
        assert.deepEqual(await notebook.runAll([oldCode, oldHolds]), { value: 'true' }, oldKind)
        assert.deepEqual(await notebook.runAll([code, holds]), { value: 'true' }, kind)
      }
    })
  }
})

interface Row {
  readonly title: string
  readonly cells: readonly string[]
  /** What the last cell warns of; nothing when absent. */
  readonly warns?: RegExp
  /** What `use()` or the last cell gives after all. */
  readonly value?: string
}

const rows: readonly Row[] = [
  {
    title: 'another number fits',
    cells: ['const x = 1', 'function use() { return x }', 'const x = 2', 'use()'],
    value: '2',
  },
  {
    title: 'a text where a number was does not',
    cells: ['let x = 1', 'const use = () => x + 1', 'let x = "now a string"'],
    warns: /^Warning: 'x' is now string; use \(cell-\d+\) still takes it for number\.\n$/,
    value: "'now a string1'",
  },
  {
    title: 'a function with another parameter does not',
    cells: [
      'function x(n: number) { return n }',
      'function use() { return x(3) }',
      'function x(s: string) { return s + s }',
    ],
    warns:
      /'x' is now \(s: string\) => string; use \(cell-\d+\) still takes it for \(n: number\) => number/,
    value: '6',
  },
  {
    title: 'a function that takes less and gives more does',
    cells: [
      'function x(n: number) { return { n } }',
      'function use() { return x(3) }',
      'function x() { return { n: 1, m: 2 } }',
    ],
    value: '{ n: 1, m: 2 }',
  },
  {
    title: 'the same class run again fits, though it has private members',
    cells: [
      'class x { #n = 1; get n() { return this.#n } }',
      'const use = () => new x().n',
      'class x { #n = 1; get n() { return this.#n } }',
    ],
    value: '1',
  },
  {
    title: 'a class that lost a member does not',
    cells: [
      'class x { n = 1; m = 2 }',
      'class user { v() { return new x().m } } function use() { return new user().v() }',
      'class x { n = 1 }',
    ],
    warns: /'x' is now another typeof x; user \(cell-\d+\) still takes it for the old one/,
    value: '',
  },
  {
    title: 'an enum run again fits',
    cells: ['enum x { A = 1 }', 'const use = () => x.A', 'enum x { A = 1 }'],
    value: '1',
  },
  {
    title: 'an import instead of a const',
    cells: [
      'const x = 1',
      'function use() { return typeof x }',
      'import { join as x } from "node:path"',
    ],
    warns: /'x' is now \(\.\.\.paths: string\[\]\) => string/,
    value: "'function'",
  },
  {
    title: 'a function that is declared again in the same cell is not asked',
    cells: [
      'let x = 1',
      'function use() { return x + 1 }',
      'let x = "a"; function use() { return x + "b" }',
    ],
    value: "'ab'",
  },
  {
    title: 'a function that does not live any more is not asked',
    cells: ['let x = 1', 'function use() { return x }', 'let use = () => 5', 'let x = "a"'],
    value: '5',
  },
  {
    title: 'only a value of that name outside of functions is not asked',
    cells: ['let x = 1', 'const copy = x; const use = () => copy', 'let x = "a"'],
    value: '1',
  },
  {
    title: 'a parameter or a property of that name is another',
    cells: ['let x = 1', 'const use = (x = 2, o = { x: 3 }) => x + o.x', 'let x = "a"'],
    value: '5',
  },
  {
    title: 'a name that becomes a type alone keeps its value',
    cells: ['let x = 1', 'const use = () => x', 'interface x { a: number }'],
    value: '1',
  },
  {
    title: 'any fits and takes all',
    cells: ['let x: any = 1', 'const use = () => x', 'let x = "a"', 'let x: any = 2', 'use()'],
    value: '2',
  },
  {
    title: 'a second misfit is not told again',
    cells: ['let x = 1', 'const use = () => x', 'let x = "a"', 'let x = [1]'],
    value: '[ 1 ]',
  },
  {
    title: 'a misfit after a fit is told again',
    cells: ['let x = 1', 'const use = () => x', 'let x = "a"', 'let x = 2', 'let x = "b"'],
    warns: /'x' is now string/,
    value: "'b'",
  },
  {
    title: 'several names and functions make a line for each name',
    cells: [
      'let x = 1, y = 1',
      'const use = () => x; const use2 = () => [x, y]',
      'let x = "a", y = "b"',
    ],
    warns:
      /^Warning: 'x' is now string; use \(cell-(\d+)\), use2 \(cell-\1\) still take it for number\.\nWarning: 'y' is now string; use2 \(cell-\1\) still takes it for number\.\n$/,
    value: "'a'",
  },
]

suite('an older function sees the new value, and a type that does not fit is told:', () => {
  for (const { title, cells, warns, value } of rows) {
    test(title, async () => {
      const notebook = new InProcessNotebook()
      await notebook.runAll(cells)
      assert.match(notebook.warnings, warns ?? /^$/)
      if (value !== undefined) assert.deepEqual(await notebook.run('use()'), { value })
    })
  }
})
