// SPDX-License-Identifier: GPL-2.0-or-later
// What Tab and Shift+Tab tell of the API and of live names: kinds, signatures, documentation, places.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { complete } from '../../../kernel/compiler/complete.ts'
import { Compiler } from '../../../kernel/compiler/compiler.ts'
import { inspect } from '../../../kernel/compiler/inspect.ts'
import { apiNames } from '../../../kernel/session/api.ts'

const compiler = new Compiler(process.cwd())
compiler.setApi(apiNames())
compiler.compile(
  'cell-1',
  `const dump = openDump('vmcore')
   let count = 1
   /** Adds one. */
   function addOne(n: number): number; function addOne(n: bigint): bigint
   function addOne(n: any): any { return n }
   class Own { method(a: string, b?: number): Own { return this } readonly field = 1 }
   enum Colour { Red }
   interface Shape { sides: number }
   const own = new Own()`,
)
compiler.commit('cell-1')

/** What is offered, the kind, and the signature where it is told; the cursor is at the end. */
const completions: readonly (readonly [
  code: string,
  text: string,
  type: string,
  signature?: string,
])[] = [
  ['qemuV', 'qemuVtop', 'function'],
  ['HostD', 'HostDump', 'class'],
  ['dum', 'dump', 'const'],
  ['coun', 'count', 'let'],
  ['addO', 'addOne', 'function'],
  ['Ow', 'Own', 'class'],
  ['Colou', 'Colour', 'enum'],
  ['const s: Shap', 'Shape', 'interface'],
  ['count + coun', 'count', 'let'],
  ['dump.task', 'task', 'method', '(selector: number | bigint | string): Task<Vm>'],
  ['dump.vm', 'vms', 'getter'],
  ['dump.pat', 'path', 'property'],
  ['own.me', 'method', 'method', '(a: string, b?: number): Own'],
  ['own.fie', 'field', 'property'],
  ['own.method("").me', 'method', 'method', '(a: string, b?: number): Own'],
  ['const fresh = [1]; fresh.ma', 'map', 'method'],
]

suite('completion tells kinds and signatures', () => {
  for (const [code, text, type, signature] of completions) {
    test(`of ${text} after ${code}`, () => {
      const found = complete(compiler, code, code.length)
      const entry = found.types.find((one) => one.text === text)
      assert.equal(entry?.type, type)
      if (signature !== undefined) assert.equal(entry.signature, signature)
    })
  }

  for (const [before, title] of [
    ['"😀😀"; ', 'letters beyond the BMP'],
    ['/* 𝒳 */\n\t', 'lines'],
    ['"é\u0301ß"; ', 'combining marks'],
  ] as const) {
    test(`with places in code points after ${title}`, () => {
      const { length } = Array.from(before)
      const found = complete(compiler, `${before}dump.tas; "😀"`, length + 8)
      assert.deepEqual(
        [found.matches, found.start, found.end],
        [['task', 'tasks'], length + 5, length + 8],
      )
      const inspection = inspect(compiler, `${before}dump.task(1)`, length + 9, 0)
      assert.match(inspection.data['text/plain'] ?? '', /HostDump\.task/)
    })
  }

  test('without running user code', () => {
    const found = complete(compiler, '(() => { throw new Error("ran") })().toS', 40)
    assert.ok(Array.isArray(found.matches))
  })
})

/** `|` is the cursor. */
const inspections: readonly (readonly [code: string, detail: number, text: RegExp])[] = [
  ['dump.ta|sk', 0, /HostDump\.task\(selector: [^]*\): Task<Vm>\n\nThe task of a pid/],
  ['dump.task|', 0, /The task of a pid/],
  ['qemuVtop(dump.task(1), 0).hpa|', 0, /Translation\.hpa[^]*The host physical address, or null/],
  ['qemuVtop(|', 0, /^function qemuVtop\(subject[^]*Translates a guest physical address/],
  ['qemuVtop(dump.task(183), |', 0, /^function qemuVtop/],
  [
    'openDump|',
    0,
    /^const openDump: OpenDump\nopenDump\(path: string[^]*Opens the dump of a KVM host/,
  ],
  ['dump.vms|', 0, /VmList\n\nAll virtual machines/],
  ['addOne|', 0, /^function addOne\(n: number\): number \(\+1 overload\)\n\nAdds one\.$/],
  ['addOne|', 1, /addOne\(n: number\): number\naddOne\(n: bigint\): bigint\n\nAdds one\.$/],
  ['addOne|(1)', 1, /\naddOne\(n: bigint\): bigint/],
  ['JSON.stringify|', 1, /\(number \| string\)\[\]/],
  ['count|', 0, /^let count: number$/],
  ['own|', 0, /^const own: Own$/],
  ['Colour.Red|', 0, /\(enum member\) Colour\.Red = 0/],
  ['|dump', 0, /^const dump: HostDump$/],
]

suite('inspection tells', () => {
  for (const [marked, detail, text] of inspections) {
    test(`${marked} with detail ${detail}`, () => {
      const cursor = marked.indexOf('|')
      const { found, data } = inspect(compiler, marked.replace('|', ''), cursor, detail)
      assert.ok(found)
      assert.match(data['text/plain'] ?? '', text)
      assert.match(data['text/markdown'] ?? '', /^```typescript\n/)
    })
  }

  for (const code of ['', '   ', '// comment', 'noSuchName']) {
    test(`nothing of ${JSON.stringify(code)}`, () => {
      const { found, data } = inspect(compiler, code, code.length, 1)
      if (found) assert.match(data['text/plain'] ?? '', /any/)
      else assert.deepEqual(data, {})
    })
  }
})
