// SPDX-License-Identifier: GPL-2.0-or-later
// The verb run: progress, where the notebook goes, and exit codes.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { command, commandFile } from './command.ts'

const folder = mkdtempSync(join(tmpdir(), 'test-command-run-'))
after(() => {
  rmSync(folder, { recursive: true })
})

function notebook(name: string, sources: readonly string[]): string {
  const path = join(folder, name)
  const cells = sources.map((source, i) => ({
    cell_type: 'code',
    id: `c${i + 1}`,
    metadata: {},
    source,
    outputs: [],
    execution_count: null,
  }))
  writeFileSync(path, JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells }))
  return path
}

test('progress goes to stderr, the place of the executed notebook to stdout', async () => {
  const path = notebook('good.ipynb', [
    '// first\nconst a = 1',
    'console.log("shown"); console.error("warned"); a + 1',
  ])
  const before = readFileSync(path, 'utf8')
  const { code, stdout, stderr } = await command(['run', path])
  const out = join(folder, 'good.executed.ipynb')
  assert.deepEqual([code, stdout], [0, `executed notebook: ${out}\n`])
  assert.equal(
    stderr,
    'cell 1 of 2: const a = 1\ncell 2 of 2: console.log("shown"); console.error("warned"); a + 1\n',
  )
  assert.ok(existsSync(out))
  assert.equal(readFileSync(path, 'utf8'), before)
})

test('--show prints the outputs as text, and -o may be the notebook itself', async () => {
  const path = notebook('show.ipynb', ['console.log("shown"); 40 + 2'])
  const { code, stdout } = await command(['run', path, '--show', '-o', path])
  assert.deepEqual([code, stdout], [0, `shown\n42\nexecuted notebook: ${path}\n`])
  assert.match(readFileSync(path, 'utf8'), /"shown\\n"/)
})

test('a cell that fails ends with exit code 1, the cell, its code and the error', async () => {
  const path = notebook('bad.ipynb', ['1', 'const b = 2\nthrow new RangeError("too far")', '3'])
  const { code, stdout, stderr } = await command(['run', path])
  assert.deepEqual([code, stdout], [1, ''])
  assert.match(stderr, /cell 2 of 3 \(id c2\) failed: RangeError: too far\n/)
  assert.match(stderr, / {4}1 \| const b = 2\n {4}2 \| throw new RangeError/)
  assert.match(stderr, /saved up to there: .*bad\.executed\.ipynb\n$/)
  assert.ok(!stderr.includes('\u001b'), 'colours are for terminals')
  assert.ok(!stderr.includes('cell 3 of 3'))
  assert.ok(existsSync(join(folder, 'bad.executed.ipynb')))
})

test('a notebook that cannot be read or written ends with exit code 1 before any kernel starts', async () => {
  const none = await command(['run', join(folder, 'none.ipynb')])
  assert.equal(none.code, 1)
  assert.match(none.stderr, /^qemu-vtop run: cannot read notebook .*none\.ipynb: ENOENT/)
  const nowhere = await command([
    'run',
    notebook('x.ipynb', ['1']),
    '-o',
    join(folder, 'no', 'x.ipynb'),
  ])
  assert.equal(nowhere.code, 1)
  assert.match(nowhere.stderr, /^qemu-vtop run: cannot write the executed notebook to /)
})

test('^C ends with exit code 130 and saves what there is', async () => {
  const path = notebook('slow.ipynb', ['1', 'while (true);'])
  let sent = false
  const { code, stderr } = await command(['run', path], {
    onStderr: (child, text) => {
      if (sent || !text.includes('cell 2 of 2')) return
      sent = true
      setTimeout(() => child.kill('SIGINT'), 300)
    },
  })
  assert.equal(code, 130)
  assert.match(stderr, /interrupted in cell 2 of 2 \(id c2\); saved up to there: /)
  assert.match(readFileSync(join(folder, 'slow.executed.ipynb'), 'utf8'), /"execute_result"/)
})

test('a reader that goes away does not end the run: the notebook is saved', async () => {
  const many =
    'for (let i = 0; i < 50; i++) { console.log("x".repeat(20_000)); await new Promise((r) => setTimeout(r, 5)) }'
  const path = notebook('pipe.ipynb', ['console.log("begin")', many, '"the end"'])
  const child = spawn(process.execPath, [commandFile, 'run', path, '--show'])
  child.stderr.resume()
  child.stdout.once('data', () => child.stdout.destroy())
  const code = await new Promise((resolve) => child.once('close', resolve))
  assert.equal(code, 141)
  assert.match(readFileSync(join(folder, 'pipe.executed.ipynb'), 'utf8'), /"execution_count": 3,/)
})
