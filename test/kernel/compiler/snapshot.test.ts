// SPDX-License-Identifier: GPL-2.0-or-later
// The compiler from its startup snapshot and without: every answer is the same.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { after, before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  encodeFrame,
  FrameReader,
  type FromCompiler,
  type ToCompiler,
} from '../../../kernel/frames.ts'
import { compilerFlags } from '../../../kernel/front/snapshot/flags.ts'

const main = fileURLToPath(new URL('../../../kernel/compiler/main.js', import.meta.url))
const build = fileURLToPath(new URL('../../../kernel/compiler/snapshot/build.cjs', import.meta.url))
const standIn = fileURLToPath(new URL('../front/standin.js', import.meta.url))

/** Cells of one notebook, in this order: each is compiled and, where that succeeds, committed. */
const cells = [
  '1 + 1',
  'const two: number = 2; let text = "a"; function twice(x: number) { return x * two }',
  'text = twice(two)',
  'interface Page { gpa: number }; enum Kind { a, b }; class Box<T> { constructor(public inner: T) {} }',
  'const page: Page = { gpa: "x" }',
  'const page: Page = { gpa: 1 }; new Box(Kind.a).inner',
  'two = 3',
  'twise(1)',
  'page.gpaa',
  "import { readFileSync } from 'node:fs'; readFileSync('x').toString(5)",
  "import { EventEmitter } from 'events'; await Promise.resolve(new EventEmitter().on)",
  "import { helper } from './helper.ts'; helper(1).toFixed()",
  "import { helper as again } from './helper.ts'; again('1')",
  "import { wrong } from './wrong.ts'",
  "import left from 'left'; left.pad(1)",
  "import nothing from 'nobody-has-this'",
  'openDump("x").pids.map((pid) => pid.toString(16))',
  'openDump(5)',
  'const text = 7',
  'const big = [1, 2, 3].toSorted().at(-1) ?? 0n',
  'const a = {',
  'let 1st = 2',
  'for await (const x of [1]) console.log(x)',
  'const { gpa, ...rest } = { gpa: 1, hva: 2n }; rest',
  'fetch("x").then((r) => r.json()); new AbortController().signal',
  'const const1: string = null; const1.length',
]
const completions = ['process.st', 'page.', 'openDu', 'twi', 'new Bo', '"".to', 'Buffer.fr', 'res']
const inspections = [
  'openDump',
  'twice',
  'readFileSync',
  'Math.hypot',
  'page.gpa',
  'Kind',
  'nobody',
]
const completeness = ['1', 'function f() {', '`a', ')', 'const x =', '[1,\n{']

suite('the compiler from its snapshot', () => {
  const folder = mkdtempSync(join(tmpdir(), 'test-snapshot-'))
  const blob = join(folder, 'blob')
  const notebook = join(folder, 'notebook')
  before(() => {
    const elsewhere = join(folder, 'elsewhere')
    for (const one of [elsewhere, notebook, join(notebook, 'node_modules', 'left')])
      mkdirSync(one, { recursive: true })
    writeFileSync(
      join(notebook, 'helper.ts'),
      'export const helper = (x: number): number => x + 1\n',
    )
    writeFileSync(join(notebook, 'wrong.ts'), 'export const wrong: number = "text"\n')
    const left = join(notebook, 'node_modules', 'left')
    writeFileSync(join(left, 'package.json'), '{"name":"left","types":"i.d.ts","main":"i.js"}')
    writeFileSync(
      join(left, 'i.d.ts'),
      'declare const left: { pad(x: string): string }; export default left',
    )
    writeFileSync(join(left, 'i.js'), 'module.exports = {}')
    const args = [...compilerFlags, '--no-warnings', '--snapshot-blob', blob]
    const made = spawnSync(
      process.execPath,
      [...args, '--build-snapshot', build, String(process.pid)],
      {
        cwd: elsewhere,
        encoding: 'utf8',
      },
    )
    assert.deepEqual([made.status, made.stderr, made.stdout], [0, '', ''])
  })
  after(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  test('gives every answer that the plain one gives', async () => {
    const plain = await answersOf([...compilerFlags, main], notebook)
    const fast = await answersOf([...compilerFlags, '--snapshot-blob', blob, main], notebook)
    assert.equal(
      plain.size,
      cells.length + completions.length + inspections.length + completeness.length,
    )
    assert.deepEqual([...fast.keys()], [...plain.keys()])
    for (const [question, answer] of plain) assert.deepEqual(fast.get(question), answer, question)
    // The questions are such that there is something to compare.
    const texts = [...plain.values()].map((answer) => JSON.stringify(answer))
    assert.ok(texts.filter((text) => text.includes('traceback')).length >= 9)
    assert.ok(texts.filter((text) => text.includes('"js":')).length >= 12)
    assert.deepEqual(
      texts.filter((text) => text.includes('"failure"')),
      [],
    )
  })
})

/** All answers of one compiler process, by what was asked. */
async function answersOf(argv: readonly string[], cwd: string): Promise<Map<string, unknown>> {
  const child = spawn(process.execPath, argv, { cwd, stdio: ['pipe', 'ignore', 'inherit', 'pipe'] })
  const [stdin, , , pipe] = child.stdio
  const waiting = new Map<number, (answer: FromCompiler) => void>()
  const reader = new FrameReader<FromCompiler>((message) => {
    if (message.type === 'answer') waiting.get(message.id)?.(message)
  })
  ;(pipe as Readable).on('data', (chunk: Buffer) => {
    reader.push(chunk)
  })
  const tell = (message: ToCompiler): void => {
    stdin?.write(encodeFrame(message))
  }
  const answers = new Map<string, unknown>()
  const ask = async (message: Extract<ToCompiler, { id: number }>): Promise<void> => {
    const answer = new Promise<FromCompiler>((resolve) => waiting.set(message.id, resolve))
    tell(message)
    answers.set(JSON.stringify(message), await answer)
  }
  const names = ['openDump', 'qemuVtop'].map((name) => ({ name, module: standIn }))
  tell({ type: 'names', names })
  let id = 0
  for (const code of cells) {
    const cell = `cell-${++id}`
    await ask({ type: 'compile', id, cell, code })
    tell({ type: 'commit', cell })
  }
  for (const code of completions) {
    await ask({ type: 'complete', id: ++id, code, cursor: code.length })
  }
  for (const code of inspections) {
    await ask({ type: 'inspect', id: ++id, code, cursor: code.length, detail: 1 })
  }
  for (const code of completeness) await ask({ type: 'is_complete', id: ++id, code })
  stdin?.end()
  return answers
}
