// SPDX-License-Identifier: GPL-2.0-or-later
// Notebooks through the real kernel: outputs, progress, failures, a kernel that dies, an interrupted run.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type CodeCell, readNotebook, type TextCell } from '../../../kernel/client/notebook.ts'
import { type Outcome, runNotebook, type RunOptions } from '../../../kernel/client/run.ts'

const folder = mkdtempSync(join(tmpdir(), 'test-run-'))
after(() => {
  rmSync(folder, { recursive: true })
})

function code(source: string, metadata: object = {}): object {
  return { cell_type: 'code', metadata, source, outputs: [], execution_count: null }
}

let number = 0

/** Writes a notebook, runs it, and gives how that ended with the code cells that were saved. */
async function run(
  cells: readonly object[],
  options: RunOptions = {},
  metadata: object = {},
): Promise<{ outcome: Outcome; saved: CodeCell[]; text: string; progress: string[] }> {
  const path = join(folder, `${++number}.ipynb`)
  const out = join(folder, `${number}.out.ipynb`)
  writeFileSync(path, JSON.stringify({ nbformat: 4, nbformat_minor: 4, metadata, cells }))
  const progress: string[] = []
  const outcome = await runNotebook(path, {
    out,
    onProgress: (cell) => progress.push(`${cell.number} of ${cell.of}`),
    ...options,
  })
  readNotebook(out)
  const text = readFileSync(out, 'utf8')
  const written = JSON.parse(text) as { cells: (CodeCell | TextCell)[] }
  return { outcome, text, progress, saved: written.cells.filter((c) => c.cell_type === 'code') }
}

test('a notebook runs from its first cell to its last and is saved with its outputs', async () => {
  const { outcome, saved, text, progress } = await run(
    [
      { cell_type: 'markdown', metadata: {}, source: '# title' },
      code('const a: number = 20\nconsole.log("hello")\nconsole.log("again")\na + 22'),
      code('  \n'),
      code('console.error("careful")\nconst folder: string = process.cwd()\nfolder'),
      code('process.env.WANTED', { execution: { 'iopub.status.busy': '2026-01-01T00:00:00Z' } }),
    ],
    { env: { WANTED: 'given' } },
  )
  assert.equal(outcome.status, 'ok')
  assert.equal(outcome.cells, 3)
  assert.deepEqual(progress, ['1 of 3', '2 of 3', '3 of 3'])
  const [first, blank, second, third] = saved
  assert.deepEqual(first?.outputs, [
    { name: 'stdout', output_type: 'stream', text: ['hello\n', 'again\n'] },
    {
      data: { 'text/plain': ['42'] },
      execution_count: 1,
      metadata: {},
      output_type: 'execute_result',
    },
  ])
  assert.deepEqual(blank?.outputs, [])
  assert.equal(blank.execution_count, null)
  assert.deepEqual(second?.outputs[0], {
    name: 'stderr',
    output_type: 'stream',
    text: ['careful\n'],
  })
  assert.ok(
    JSON.stringify(second.outputs[1]).includes(folder),
    'cells run in the folder of the notebook',
  )
  assert.ok(JSON.stringify(third?.outputs).includes('given'))
  assert.equal(/20\d\d-\d\d-\d\dT/.test(text), false, 'a clock time is saved')
  const { metadata } = JSON.parse(text) as { metadata: Record<string, Record<string, unknown>> }
  assert.equal(metadata['language_info']?.['name'], 'typescript')
  assert.deepEqual(metadata['kernelspec'], {
    display_name: 'TypeScript (KVM host dumps)',
    language: 'typescript',
    name: 'qemu-vtop',
  })
})

test('the first cell that fails ends the run; it is named and what there is is saved', async () => {
  const { outcome, saved, progress } = await run([
    code('1 + 1'),
    code('function f(): never { throw new RangeError("too far") }\nf()'),
    code('3'),
  ])
  assert.equal(outcome.status, 'error')
  assert.equal(outcome.cell.number, 2)
  assert.equal(outcome.cell.of, 3)
  assert.equal(outcome.cell.id, 'cell-2')
  assert.equal(outcome.ename, 'RangeError')
  assert.equal(outcome.evalue, 'too far')
  assert.ok(outcome.traceback.length > 0)
  assert.deepEqual(progress, ['1 of 3', '2 of 3'])
  assert.deepEqual(
    saved.map((cell) => cell.outputs.map((output) => output.output_type)),
    [['execute_result'], ['error'], []],
  )
})

test('a type error is an error of its cell', async () => {
  const { outcome } = await run([code('const n: number = "text"')])
  assert.equal(outcome.status, 'error')
  assert.match(
    `${outcome.evalue} ${outcome.traceback.join(' ')}`,
    /not assignable to type 'number'/,
  )
})

test('a cell tagged raises-exception may fail, and the run goes on', async () => {
  const { outcome, saved } = await run([
    code('throw new Error("expected")', { tags: ['raises-exception'] }),
    code('2'),
  ])
  assert.equal(outcome.status, 'ok')
  assert.deepEqual(
    saved.map((cell) => cell.outputs[0]?.output_type),
    ['error', 'execute_result'],
  )
})

test('a kernel that dies is an error of the cell that ran, with what was printed before', async () => {
  const { outcome, saved } = await run([
    code('1'),
    code(
      'console.log("last words"); process.kill(process.ppid, "SIGKILL"); await new Promise(() => {})',
    ),
    code('3'),
  ])
  assert.equal(outcome.status, 'error')
  assert.equal(outcome.cell.number, 2)
  assert.equal(outcome.ename, 'DeadKernel')
  assert.match(outcome.evalue, /the kernel died: its process ended by signal SIGKILL/)
  assert.equal(saved[1]?.outputs.at(-1)?.output_type, 'error')
  assert.deepEqual(saved[2]?.outputs, [])
})

test('a session that crashes fails its cell and does not hang the run', async () => {
  const { outcome } = await run([code('process.abort()'), code('2')])
  assert.equal(outcome.status, 'error')
  assert.equal(outcome.cell.number, 1)
})

test('an interrupted run ends soon, and what there is is saved', async () => {
  const controller = new AbortController()
  const began = performance.now()
  const { outcome, saved } = await run([code('1'), code('while (true);')], {
    signal: controller.signal,
    onProgress: ({ number: k }) => {
      if (k === 2)
        setTimeout(() => {
          controller.abort()
        }, 300)
    },
  })
  assert.equal(outcome.status, 'interrupted')
  assert.equal(outcome.cell.number, 2)
  assert.equal(saved[0]?.outputs.length, 1)
  assert.ok(performance.now() - began < 60_000)
})

test('a notebook in another language is refused, and nothing is written', async () => {
  const kernelspec = { name: 'python3', display_name: 'Python 3', language: 'python' }
  await assert.rejects(run([code('print(1)')], {}, { kernelspec }), {
    name: 'NotebookError',
    message: /is written in python \(metadata\.kernelspec\), this kernel runs typescript/,
  })
  assert.throws(() => readFileSync(join(folder, `${number}.out.ipynb`)), /ENOENT/)
})
