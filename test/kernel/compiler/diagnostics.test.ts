// SPDX-License-Identifier: GPL-2.0-or-later
// What a cell with faults shows: each fault at its place, the name that was meant, in few words.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { Compiler } from '../../../kernel/compiler/compiler.ts'
import { apiNames } from '../../../kernel/session/api.ts'

const compiler = new Compiler(process.cwd())
compiler.setApi(apiNames())
compiler.compile(
  'cell-1',
  'const total = 1; const dump = openDump("vmcore"); interface Point { x: number }',
)
compiler.commit('cell-1')

interface Row {
  readonly title: string
  readonly code: string
  /** The whole traceback, each line without the white space at its end. */
  readonly shows: readonly string[]
}

const frames: readonly Row[] = [
  {
    title: 'one fault',
    code: 'let n: number\n  n = "text"',
    shows: [
      "cell-2.ts:2:3 - error TS2322: Type 'string' is not assignable to type 'number'.",
      '   2 │   n = "text"',
      '     │   ^',
      '',
    ],
  },
  {
    title: 'several, in their order',
    code: 'Math.nope; total()\n"a".nope',
    shows: [
      "cell-2.ts:1:6 - error TS2339: Property 'nope' does not exist on type 'Math'.",
      '   1 │ Math.nope; total()',
      '     │      ^^^^',
      '',
      'cell-2.ts:1:12 - error TS2349: This expression is not callable.',
      "  Type 'Number' has no call signatures.",
      '   1 │ Math.nope; total()',
      '     │            ^^^^^',
      '',
      "cell-2.ts:2:5 - error TS2339: Property 'nope' does not exist on type '\"a\"'.",
      '   2 │ "a".nope',
      '     │     ^^^^',
      '',
    ],
  },
  {
    title: 'tabs as they are, and wide letters',
    code: '\t/* 漢😀e\u0301 */ totl',
    shows: [
      "cell-2.ts:1:14 - error TS2304: Cannot find name 'totl'. Did you mean 'total'?",
      '   1 │ \t/* 漢😀e\u0301 */ totl',
      '     │ \t            ^^^^',
      '',
    ],
  },
  {
    title: 'a fault over several lines in its first',
    code: 'const f: number = {\n  a: 1,\n}.a.b',
    shows: [
      "cell-2.ts:3:5 - error TS2339: Property 'b' does not exist on type 'number'.",
      '   3 │ }.a.b',
      '     │     ^',
      '',
    ],
  },
  {
    title: 'of a long line the part with the fault',
    code: `const long = "${'x'.repeat(200)}" + nowhere + "${'y'.repeat(200)}"`,
    shows: [
      "cell-2.ts:1:219 - error TS2304: Cannot find name 'nowhere'.",
      `   1 │ …${'x'.repeat(56)}" + nowhere + "${'y'.repeat(49)}…`,
      `     │ ${' '.repeat(61)}^^^^^^^`,
      '',
    ],
  },
  {
    title: 'only why a text cannot be parsed',
    code: 'nowhere(1, ',
    shows: [
      'cell-2.ts:1:12 - error TS1135: Argument expression expected.',
      '   1 │ nowhere(1,',
      '     │            ^',
      '',
    ],
  },
  {
    title: 'of a deep mismatch its first and its last step',
    code: 'let h: (a: { b: { c: string } }) => void = (a: { b: { c: number } }) => {}',
    shows: [
      "cell-2.ts:1:5 - error TS2322: Type '(a: { b: { c: number; }; }) => void' is not assignable to type '(a: { b: { c: string; }; }) => void'.",
      "  Type 'string' is not assignable to type 'number'.",
      '   1 │ let h: (a: { b: { c: string } }) => void = (a: { b: { c: number } }) => {}',
      '     │     ^',
      '',
    ],
  },
]

suite('a code frame shows', () => {
  for (const { title, code, shows } of frames) {
    test(title, () => {
      assert.deepEqual(
        linesOf(code).map((line) => line.trimEnd()),
        shows,
      )
    })
  }
})

const near: readonly (readonly [code: string, meant: string])[] = [
  ['totl', 'total'],
  ['Total', 'total'],
  ['toatl', 'total'],
  ['opneDump("x")', 'openDump'],
  ['openDmp', 'openDump'],
  ['qemuVTop', 'qemuVtop'],
  ['let p: Pont', 'Point'],
  ['let t: Taks', 'Task'],
  ['Objcet.keys({})', 'Object'],
  ['dump.taks(1)', 'tasks'],
  ['dump.task(1).pdi', 'pid'],
  ['dump.vm("web01").nmae', 'name'],
  ['openDump.smaple()', 'sample'],
  ['[1].redcue', 'reduce'],
  ['import { redFile } from "node:fs"', 'readFile'],
  ['let o: Point = { x: 1, y: total }; o.X', 'x'],
]

suite('the name that was meant is told', () => {
  for (const [code, meant] of near) {
    test(`for ${code}`, () => {
      const text = linesOf(code).join('\n')
      assert.ok(text.includes(`Did you mean '${meant}'?`), text)
    })
  }

  for (const code of ['xyzzy', 'q', 'completelyElse', 't'.repeat(100)]) {
    test(`for ${code.slice(0, 20)} none`, () => {
      assert.doesNotMatch(linesOf(code).join('\n'), /Did you mean/)
    })
  }
})

const words: readonly (readonly [code: string, message: RegExp])[] = [
  ['import x from "nope"', /Cannot find package 'nope': it is not installed/],
  ['await import("./nope.ts")', /Cannot find '\.\/nope\.ts': no such file/],
  ['new Map([["a", 1], [2, "b"]])', /No overload matches this call\.\n {2}Type 'number' is not/],
  [
    'const z: string = { a: 1, b: 2, c: 3, d: 4, eeeeeeeeeeeeeeee: 5, ffffffffffffffffffffff: 6, gggggggggggg: 7, h: 8 }',
    /Type '.{100}…' is not/,
  ],
]

suite('words are few', () => {
  for (const [code, message] of words) {
    test(`for ${code.slice(0, 40)}`, () => {
      assert.match(linesOf(code).join('\n'), message)
    })
  }
})

function linesOf(code: string): string[] {
  const result = compiler.compile('cell-2', code)
  return 'error' in result
    ? result.error.traceback.flatMap((line) => stripVTControlCharacters(line).split('\n'))
    : []
}
