// SPDX-License-Identifier: GPL-2.0-or-later
// What cells import: files beside the notebook, edited and in circles, and packages of its folder.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { InProcessNotebook, type Outcome } from './inprocess.ts'

let folder = ''
let notebook: InProcessNotebook

before(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'beside-')))
  notebook = new InProcessNotebook([], folder)
})
after(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** Writes a file of the notebook's folder. */
function put(name: string, text: string): void {
  const path = join(folder, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

function errorOf(outcome: Outcome): string {
  return 'error' in outcome ? outcome.error : `no error but ${outcome.value}`
}

suite('a file beside the notebook', () => {
  test('is imported with its types, by any way to write its name', async () => {
    put(
      'util.ts',
      'export const two: number = 2\nexport default function twice(n: number) { return n * two }',
    )
    for (const name of ['./util.ts', './util.js', './util']) {
      assert.deepEqual(
        await notebook.run(`import twice, { two } from '${name}'; [twice(4), two]`),
        { value: '[ 8, 2 ]' },
        name,
      )
    }
    assert.match(errorOf(await notebook.run('twice("x")')), /error TS2345/)
    assert.deepEqual(await notebook.run('(await import("./util.ts")).two'), { value: '2' })
  })

  test('is seen as it is now by the cell that imports it after an edit, with its types', async () => {
    put('edited.ts', 'export const value = 1')
    assert.deepEqual(await notebook.run('import { value } from "./edited.ts"; value'), {
      value: '1',
    })
    put('edited.ts', 'export const value = "longer text"')
    assert.deepEqual(await notebook.run('import { value } from "./edited.ts"; value.length'), {
      value: '11',
    })
  })

  test('is seen as it is now through another that was not edited', async () => {
    put('inner.ts', 'export const depth = 1')
    put('outer.ts', 'import { depth } from "./inner.ts"\nexport const get = () => depth')
    assert.deepEqual(await notebook.run('import { get } from "./outer.ts"; get()'), { value: '1' })
    put('inner.ts', 'export const depth = 1 + 9')
    assert.deepEqual(await notebook.run('import { get } from "./outer.ts"; get()'), { value: '10' })
  })

  test('is seen as it is now by cells that only use what was imported before', async () => {
    put('kept.ts', 'export const size = 1\nexport let own = 1')
    await notebook.run('import * as kept from "./kept.ts"; import { size, own } from "./kept.ts"')
    await notebook.run('const own = 5; const older = () => size')
    put('kept.ts', 'export const size = 1000\nexport let own = 2000')
    assert.deepEqual(await notebook.run('[size, older(), kept.own, own]'), {
      value: '[ 1000, 1000, 2000, 5 ]',
    })
  })

  test('may stand in a folder, import upwards, await, and use import.meta and JSON', async () => {
    put('data.json', '{ "answer": 42 }')
    put(
      'lib/deep.ts',
      `import data from '../data.json'
       import { readFileSync } from 'node:fs'
       import { two } from '../util.js'
       const later = await Promise.resolve(two)
       export const all = [data.answer, later, import.meta.filename.endsWith('deep.ts'), typeof readFileSync]
       export const lazy = async () => (await import('./near.ts')).near`,
    )
    put('lib/near.ts', 'export const near = "near"')
    assert.deepEqual(
      await notebook.run('import { all, lazy } from "./lib/deep.ts"; [...all, await lazy()]'),
      { value: "[ 42, 2, true, 'function', 'near' ]" },
    )
  })

  test('may import in a circle', async () => {
    put(
      'a.ts',
      'import { b } from "./b.ts"\nexport function a(n: number): string { return n ? b(n - 1) : "end" }',
    )
    put('b.ts', 'import { a } from "./a.ts"\nexport function b(n: number): string { return a(n) }')
    assert.deepEqual(await notebook.run('import { a } from "./a.ts"; a(5)'), { value: "'end'" })
  })

  test('stops the cell when its types are wrong, at its own line', async () => {
    put('wrong.ts', 'export const fine = 1\n\nexport const bad: number = "text"')
    const error = errorOf(await notebook.run('import { fine } from "./wrong.ts"; fine'))
    assert.match(error, /^wrong\.ts:3:14 - error TS2322: Type 'string'[^]*3 │ export const bad/)
    put('wrong.ts', 'export const fine = 1')
    assert.deepEqual(await notebook.run('import { fine } from "./wrong.ts"; fine'), { value: '1' })
  })

  test('has its own lines in a traceback', async () => {
    put(
      'throws.ts',
      'type Unused = string\n\nexport function fail(why: string) {\n  throw new Error(why)\n}',
    )
    const error = errorOf(
      await notebook.run('import { fail } from "./throws.ts"\nfail("from there")'),
    )
    assert.match(error, /^Error: from there\n +4 │ {3}throw new Error\(why\)/)
    assert.match(error, /at fail \(.*throws\.ts:4:9\)\n.*cell-\d+\.ts:2:1/)
    assert.doesNotMatch(error, /neighbours|run\.js|node:/)
  })

  test('that throws while it is loaded is loaded again by the next cell', async () => {
    put(
      'flaky.ts',
      'const g = globalThis as any; g.flaky = (g.flaky ?? 0) + 1\nif (g.flaky < 2) throw new Error("once")\nexport const ok = 1',
    )
    assert.match(errorOf(await notebook.run('import { ok } from "./flaky.ts"; ok')), /Error: once/)
    assert.deepEqual(await notebook.run('import { ok } from "./flaky.ts"; ok'), { value: '1' })
  })

  test('may be JavaScript, as a module or as CommonJS, edited too', async () => {
    put('plain.js', 'export const text = "module"')
    put('common.cjs', 'exports.text = "common"')
    const code =
      'import { text as t1 } from "./plain.js"; import { text as t2 } from "./common.cjs"; [t1, t2]'
    assert.deepEqual(await notebook.run(code), { value: "[ 'module', 'common' ]" })
    assert.match(errorOf(await notebook.run('t1.nothing')), /TS2339: Property 'nothing'/)
    put('plain.js', 'export const text = "module edited"')
    put('common.cjs', 'exports.text = "common edited"')
    assert.deepEqual(await notebook.run(code), { value: "[ 'module edited', 'common edited' ]" })
  })

  test('that is not there is told as such', async () => {
    assert.match(
      errorOf(await notebook.run('import "./nowhere.ts"; import x from "./nowhere.ts"')),
      /nowhere/,
    )
  })
})

suite('the folder of the notebook', () => {
  test('gives its packages, ESM-only ones too, with their types', async () => {
    put(
      'node_modules/esm-only/package.json',
      '{"name":"esm-only","type":"module","exports":{"types":"./index.d.ts","import":"./index.js"}}',
    )
    put('node_modules/esm-only/index.js', 'export const only = "esm"')
    put('node_modules/esm-only/index.d.ts', 'export declare const only: string')
    assert.deepEqual(await notebook.run('import { only } from "esm-only"; only'), {
      value: "'esm'",
    })
    assert.match(errorOf(await notebook.run('only.nothing')), /TS2339/)
    put('uses.ts', 'import { only } from "esm-only"\nexport const loud = only.toUpperCase()')
    assert.deepEqual(await notebook.run('import { loud } from "./uses.ts"; loud'), {
      value: "'ESM'",
    })
  })

  test('may hold another TypeScript, other types of Node and settings of its own', async () => {
    const other = realpathSync(mkdtempSync(join(tmpdir(), 'other-')))
    const write = (name: string, text: string): void => {
      mkdirSync(dirname(join(other, name)), { recursive: true })
      writeFileSync(join(other, name), text)
    }
    try {
      write('package.json', '{"type":"commonjs"}')
      write(
        'tsconfig.json',
        '{"compilerOptions":{"strict":false,"lib":["es5"],"types":[],"module":"amd","noSuchOption":1}',
      )
      write(
        'node_modules/typescript/package.json',
        '{"name":"typescript","version":"7.0.2","main":"index.js"}',
      )
      write('node_modules/typescript/index.js', 'exports.version = "7.0.2"')
      write('node_modules/ts-node/index.js', 'throw new Error("the other ts-node")')
      write(
        'node_modules/@types/node/package.json',
        '{"name":"@types/node","version":"1.0.0","types":"index.d.ts"}',
      )
      write('node_modules/@types/node/index.d.ts', 'declare const process: number')
      write('own.ts', '/// <reference types="node" />\nexport const id = process.pid > 0')
      const elsewhere = new InProcessNotebook([], other)
      assert.deepEqual(
        await elsewhere.run(
          'import { readFileSync } from "node:fs"; import { id } from "./own.ts"; [typeof readFileSync(import.meta.dirname + "/own.ts", "utf8"), process.version.length > 0, [1].at(-1), id]',
        ),
        { value: "[ 'string', true, 1, true ]" },
      )
      assert.match(errorOf(await elsewhere.run('process.nothing')), /TS2339/)
    } finally {
      rmSync(other, { recursive: true, force: true })
    }
  })
})
