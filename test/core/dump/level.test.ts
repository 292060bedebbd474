// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/dump/level.ts.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { leftOut } from '../../../core/dump/level.ts'

const levels: readonly [level: number, words: string][] = [
  [0, 'nothing'],
  [1, 'pages of zeros'],
  [17, 'pages of zeros and free pages'],
  [31, 'pages of zeros, page cache, private page cache, user pages and free pages'],
  [32, 'nothing'],
]
describe('leftOut', () => {
  for (const [level, words] of levels) {
    it(`says that level ${level} leaves out ${words}`, () => {
      assert.equal(leftOut(level), words)
    })
  }
})
