// SPDX-License-Identifier: GPL-2.0-or-later
// Jupyter's own conformance tests: those of Python's jupyter_kernel_test, one by one.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, it } from 'node:test'
import { Home, program, run, sources } from './environment.ts'

interface Line {
  readonly name: string
  readonly outcome: 'passed' | 'failed' | 'skipped'
  readonly text: string
}

const home = new Home()
after(() => {
  home.remove()
})

const { code, stdout, stderr } = await run(
  program('python'),
  [join(sources, 'conformance.py')],
  home.env,
)
const lines = stdout
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as Line)

it('runs jupyter_kernel_test to its end', () => {
  assert.equal(code, 0, stderr)
  // Twelve on a kernel that is running, and one on how it begins: a newer version may have more.
  assert.ok(lines.length >= 13, `only ${lines.length} tests reported\n${stderr}`)
})

for (const { name, outcome, text } of lines) {
  it(name.replace(/ \(__main__\.\w+\.\w+\)/, ''), { skip: outcome === 'skipped' && text }, () => {
    assert.equal(outcome, 'passed', text)
  })
}
