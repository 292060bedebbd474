// SPDX-License-Identifier: GPL-2.0-or-later
// Tracebacks of cells long ago: right lines as long as their maps are kept, and never wrong ones.
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { runInThisContext } from 'node:vm'
import { Compiler } from '../../../kernel/compiler/compiler.ts'
import { Tracebacks } from '../../../kernel/session/traceback.ts'

const compiler = new Compiler(tmpdir())
const code = 'interface Page { pfn: number }\n\nthrow new Error("of " + $cell.meta)'

/** Adds a cell that throws in its third line, and gives what it throws. */
async function thrown(tracebacks: Tracebacks, number: number): Promise<unknown> {
  const file = `cell-${number}.ts`
  const result = compiler.compile('cell-1', code.replace('$cell.meta', String(number)))
  assert.ok('cell' in result, JSON.stringify(result))
  tracebacks.add(file, result.cell.map)
  const made: unknown = runInThisContext(result.cell.js, { filename: file, lineOffset: -1 })
  try {
    await (made as () => Promise<unknown>)()
  } catch (error) {
    return error
  }
  assert.fail('the cell does not throw')
}

function textOf(tracebacks: Tracebacks, error: unknown): string {
  return stripVTControlCharacters(tracebacks.describe(error).traceback.join('\n'))
}

test('the error of each of a hundred cells shows its own line, in any order', async () => {
  const tracebacks = new Tracebacks([])
  const errors: unknown[] = []
  for (let i = 0; i < 100; i++) errors.push(await thrown(tracebacks, i))
  for (const [i, error] of [...errors.entries(), ...errors.entries()]) {
    assert.match(
      textOf(tracebacks, error),
      new RegExp(`   3 │ throw new Error\\("of " \\+ ${i}\\)`),
    )
    assert.match(textOf(tracebacks, error), new RegExp(`cell-${i}\\.ts:3:\\d+`))
  }
})

test('of a cell whose map is gone the name is told, and no line that might be wrong', async () => {
  const tracebacks = new Tracebacks([], 1_000)
  const old = await thrown(tracebacks, 1)
  assert.match(textOf(tracebacks, old), /cell-1\.ts:3:\d+/)
  let last: unknown
  for (let i = 2; i < 9; i++) last = await thrown(tracebacks, i)
  assert.match(
    textOf(tracebacks, old),
    /^Error: of 1\n {4}at cell-1\.ts, too long ago to tell the line/,
  )
  assert.doesNotMatch(textOf(tracebacks, old), /cell-1\.ts:\d/)
  assert.match(textOf(tracebacks, last), /cell-8\.ts:3:\d+/)
})
