// SPDX-License-Identifier: GPL-2.0-or-later
// docs/kernels.md has the rows and columns of the tables, and what built hosts give.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { root } from '../place.ts'
import { builtCells } from './cells.ts'
import { features } from './features.ts'
import { kernels } from './kernels.ts'
import { firstSentence, readPage } from './page.ts'
import { cases } from './rows.ts'

const page = readFileSync(join(root, 'docs', 'kernels.md'), 'utf8')
const { features: columns, rows } = readPage(page)
const names = features.map(({ name }) => name)
const markOf = (cell = '') => cell.split(' <')[0] ?? ''

describe('the matrix of kernels, docs/kernels.md,', () => {
  it('has the rows and columns of the tables: npm run matrix writes it', () => {
    assert.deepEqual(columns, names)
    assert.deepEqual(
      [...rows.keys()],
      cases.map(({ name }) => name),
    )
    for (const [name, cells] of rows) {
      const known = ['real', 'built', 'no', '–', 'not run']
      assert.ok(
        cells.length === names.length && cells.every((cell) => known.includes(markOf(cell))),
        name,
      )
    }
  })

  for (const kernel of kernels.filter(({ built }) => built !== undefined)) {
    it(`says of ${kernel.name} what its built host gives`, () => {
      const cells = rows.get(kernel.name) ?? assert.fail()
      // On a kernel with a real dump, the built host is only asked what that has nothing of.
      const chosen = features.filter((_, i) => {
        return kernel.real === undefined || markOf(cells[i]) === 'built'
      })
      const found = builtCells(kernel, chosen)
      assert.deepEqual(
        found.map(({ mark, note }) => (mark === 'wrong' ? note : mark)),
        chosen.map(({ name }) => markOf(cells[names.indexOf(name)])),
      )
      for (const { note } of found) {
        if (note === undefined) continue
        assert.ok(page.includes(`. ${firstSentence(note)}\n`), note)
      }
    })
  }
})
