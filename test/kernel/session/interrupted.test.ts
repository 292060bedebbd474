// SPDX-License-Identifier: GPL-2.0-or-later
// A stop that comes wrapped up in the error of the work that it ended.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { interruptBehind, Interrupted } from '../../../kernel/session/interrupted.ts'

test('a stop is found behind the errors that it caused', () => {
  const stop = new Interrupted()
  const unfinished = new Error('stopped when 3 of 10 rows were done', { cause: stop })
  assert.equal(interruptBehind(stop), stop)
  assert.equal(interruptBehind(new Error('outer', { cause: unfinished })), stop)
})

test('no stop is found where there is none, not even in a circle of causes', () => {
  const error = new Error('a')
  error.cause = new Error('b', { cause: error })
  assert.equal(interruptBehind(error), undefined)
  assert.equal(interruptBehind('text'), undefined)
  assert.equal(interruptBehind(new Error('a', { cause: 'text' })), undefined)
})
