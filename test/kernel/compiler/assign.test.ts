// SPDX-License-Identifier: GPL-2.0-or-later
// Which names of older cells can be assigned to, in every way there is to assign.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { Compiler } from '../../../kernel/compiler/compiler.ts'
import { apiNames } from '../../../kernel/session/api.ts'

const compiler = new Compiler(process.cwd())
compiler.setApi(apiNames())
compiler.compile(
  'cell-1',
  `import * as path from 'node:path'
   import { join } from 'node:path'
   const fixed = 1, [part] = [2]
   let free: any
   var old = 1
   function f() {}
   class C {}
   enum E { A }
   namespace N { export const v = 1 }`,
)
compiler.commit('cell-1')

/** Each with `NAME` where the name stands. */
const ways: readonly string[] = [
  'NAME = null',
  'NAME += null',
  'NAME ??= null',
  'NAME++',
  '--NAME',
  '[NAME] = [null]',
  '[NAME = null] = []',
  '[...NAME] = [null]',
  '({ NAME } = { NAME: null })',
  '({ x: NAME } = { x: null })',
  '({ ...NAME } = null)',
  'for (NAME of [null]);',
  'for (NAME in {});',
  '(NAME) = null',
  'const later = () => { NAME = null }',
]

suite('a const of an older cell is not assigned to', () => {
  for (const way of ways) {
    test(`by ${way}`, () => {
      assert.match(
        faultOf(way.replaceAll('NAME', 'fixed')),
        /Cannot assign to 'fixed': it is a const of cell-1\. Declare it again, or use let there\./,
      )
    })
  }
})

suite('a let of an older cell is assigned to', () => {
  for (const way of ways) {
    test(`by ${way}`, () => {
      assert.equal(faultOf(way.replaceAll('NAME', 'free')), '')
    })
  }
})

const rows: readonly (readonly [code: string, message: RegExp])[] = [
  ['part = 3', /'part': it is a const of cell-1/],
  ['f = null', /'f': it is a function of cell-1\. Declare it again\./],
  ['C = null', /'C': it is a class of cell-1\. Declare it again\./],
  ['E = null', /'E': it is an enum of cell-1\. Declare it again\./],
  ['N = null', /'N': it is a namespace of cell-1\. Declare it again\./],
  ['path = null', /'path': it is an import of cell-1\. Declare it again\./],
  ['join = null', /'join': it is an import of cell-1\. Declare it again\./],
  ["import { sep } from 'node:path'; sep = '/'", /'sep': it is imported\./],
  ['openDump = null', /'openDump': every cell has it\. Declare it to have your own: let openDump/],
  ['const own = 1; own = 2', /'own' because it is a constant/],
]

suite('what is no variable says so', () => {
  for (const [code, message] of rows) {
    test(`in ${code}`, () => {
      assert.match(faultOf(code), message)
    })
  }

  test('and a var is one', () => {
    assert.equal(faultOf('old = 2; old++'), '')
  })

  test('at the place of the name, once for each assignment', () => {
    const text = faultOf('free = 1\n  fixed = 2\njoin = fixed = null')
    assert.deepEqual(text.match(/cell-9\.ts:\d+:\d+/g), [
      'cell-9.ts:2:3',
      'cell-9.ts:3:1',
      'cell-9.ts:3:8',
    ])
  })
})

function faultOf(code: string): string {
  const result = compiler.compile('cell-9', code)
  return 'error' in result ? stripVTControlCharacters(result.error.traceback.join('\n')) : ''
}
