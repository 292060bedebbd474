// SPDX-License-Identifier: GPL-2.0-or-later
// Declarations of a dump's structs, checked by the TypeScript compiler itself.

import assert from 'node:assert/strict'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import ts from 'typescript'
import { readBtf } from '../../../core/types/btf.ts'
import { declareStructs } from '../../../core/types/declare.ts'
import { type Types } from '../../../core/types/type.ts'
import { BtfBuilder } from '../../build/btf.ts'
import { kernels, realDump, root } from '../../place.ts'
import { realTypes } from './real.ts'

const view = join(root, 'dist', 'core', 'types', 'view.js')

/** What the compiler has to say about a cell that has the declarations of these types. */
function check(declarations: string, cell: string): string[] {
  const folder = join(root, 'dist', 'test')
  const texts = new Map([
    [join(folder, 'dump-1.d.ts'), declarations],
    [
      join(folder, 'cell.ts'),
      `/// <reference path="./dump-1.d.ts" />\nimport { type StructOf } from ${JSON.stringify(view)}\n${cell}`,
    ],
  ])
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    strictNullChecks: false,
    noEmit: true,
    skipLibCheck: false,
    types: [],
  }
  const host = ts.createCompilerHost(options)
  const disk = ts.createCompilerHost(options)
  host.readFile = (path) => texts.get(path) ?? disk.readFile(path)
  host.fileExists = (path) => texts.has(path) || disk.fileExists(path)
  host.getSourceFile = (path, languageVersion, ...rest) => {
    const text = texts.get(path)
    return text === undefined
      ? disk.getSourceFile(path, languageVersion, ...rest)
      : ts.createSourceFile(path, text, languageVersion)
  }
  const cellPath = join(folder, 'cell.ts')
  const program = ts.createProgram([cellPath], options, host)
  return ts
    .getPreEmitDiagnostics(program)
    .filter(
      ({ file }) =>
        file === undefined || texts.has(file.fileName) || dirname(file.fileName) === dirname(view),
    )
    .map(
      ({ code, messageText }) => `TS${code}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    )
}

for (const kernel of kernels) {
  const { skip } = realDump(kernel)
  describe(`declarations of ${kernel}`, { skip }, () => {
    it('compile, with the members that a cell walks along', () => {
      const text = declareStructs(realTypes(kernel), { module: view })
      const cell = `
        declare const task: StructOf<'task_struct'>
        const pgd: bigint = task.mm.pgd.pgd
        const comm: string = task.comm
        const pid: number = task.pid
        const next: number = task.tasks.next.$containerOf('task_struct', 'tasks').pid
        const slots: bigint = task.$cast('kvm').mm.pgd.$addr
        for (const file of task.files.fd_array) if (file) { const name: number = file.f_path.dentry.d_name.len }
        const far: string = task.mm.owner.mm.owner.comm
        declare const loose: StructOf<'no_such_struct'>
        const anything: Date = loose.whatever.you.like
      `
      assert.deepEqual(check(text, cell), [])
      assert.deepEqual(
        check(text, `declare const t: StructOf<'task_struct'>; t.com; const n: number = t.comm`),
        [
          "TS2551: Property 'com' does not exist on type 'task_struct'. Did you mean 'comm'?",
          "TS2322: Type 'string' is not assignable to type 'number'.",
        ],
      )
    })
  })
}

/** Structs whose names and members TypeScript would stumble over. */
function awkward(): Types {
  const b = new BtfBuilder()
  const int = b.int('int', 4)
  b.struct('class', 4, [{ name: 'default', type: int, bits: 0 }])
  b.struct('core::Option<u8>', 4, [{ name: 'a-b', type: int, bits: 0 }])
  b.struct('evil*/ } junk', 4, [{ name: '"\n}', type: int, bits: 0 }])
  const inline = b.struct('', 8, [{ name: 'x', type: b.pointer(1), bits: 0 }])
  b.struct('outer', 16, [
    { name: 'inner', type: inline, bits: 0 },
    { name: 'flag', type: int, bits: 64, width: 3 },
    { name: 'link', type: b.pointer(2), bits: 0 },
  ])
  return readBtf(b.blob(), 'test\n*/')
}

it('quotes names that are no identifiers, and lets none of them break out', () => {
  const roots = ['class', 'core::Option<u8>', 'evil*/ } junk', 'outer', 'absent']
  const text = declareStructs(awkward(), { module: view, roots })
  const cell = `
    declare const a: StructOf<'class'>
    declare const b: StructOf<'core::Option<u8>'>
    declare const c: StructOf<'evil*/ } junk'>
    declare const d: StructOf<'outer'>
    const numbers: number[] = [a.default, b['a-b'], c['"\\n}'], d.flag, d.link.default]
    const inner: bigint = d.inner.x
    const place: bigint = d.inner.$addr
  `
  assert.deepEqual(check(text, cell), [])
})

it('declares as far as it is told', () => {
  const b = new BtfBuilder()
  for (let i = 0; i < 6; i++) {
    b.struct(`step${i}`, 8, [{ name: 'next', type: b.nextId + 1, bits: 0 }])
    b.pointer(b.nextId + 1)
  }
  b.struct('step6', 0, [])
  const types = readBtf(b.blob(), 'test')
  const declared = (depth: number) =>
    [
      ...declareStructs(types, { module: view, roots: ['step0'], depth }).matchAll(
        /interface (step\d)/g,
      ),
    ].map(([, name]) => name)
  assert.deepEqual(declared(0), ['step0'])
  assert.deepEqual(declared(2), ['step0', 'step1', 'step2'])
  assert.equal(declared(100).length, 7)
})
