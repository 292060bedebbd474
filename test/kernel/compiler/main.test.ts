// SPDX-License-Identifier: GPL-2.0-or-later
// The compiler process while it starts.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { encodeFrame, FrameReader, type FromCompiler } from '../../../kernel/frames.ts'

const main = fileURLToPath(new URL('../../../kernel/compiler/main.js', import.meta.url))

test('tells whether cells are complete before it has read the declarations of Node', async () => {
  const child = spawn(process.execPath, [main], { stdio: ['pipe', 'ignore', 'inherit', 'pipe'] })
  const [stdin, , , answersPipe] = child.stdio
  let id = 0
  const ask = (): void => {
    stdin?.write(encodeFrame({ type: 'is_complete', id: ++id, code: 'const a = [' }))
  }
  const answers: unknown[] = []
  const ready = new Promise<void>((resolve) => {
    const reader = new FrameReader<FromCompiler>((message) => {
      if (message.type === 'ready') resolve()
      else {
        answers.push(message.completeness)
        ask()
      }
    })
    ;(answersPipe as Readable).on('data', (chunk: Buffer) => {
      reader.push(chunk)
    })
  })
  ask()
  await ready
  stdin?.end()
  // One after the other, each asked when the last was answered: it never was deaf for long.
  assert.ok(answers.length > 10, `${answers.length} answers before it was ready`)
  for (const answer of answers) assert.deepEqual(answer, { status: 'incomplete', indent: '  ' })
})
