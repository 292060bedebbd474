// SPDX-License-Identifier: GPL-2.0-or-later
// Guest memory in cells: of any size and wherever it lies, never more than 2,048, and no page counted twice.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cells, ROW_CELLS, type Stretch } from '../../../core/kvm/cells.ts'

const MIB = 2 ** 20
const GIB = 2 ** 30
const guests: readonly (readonly [name: string, stretches: Stretch[], cell: number])[] = [
  [
    '8 GiB with a hole',
    [
      { gpa: 0, size: 2 * GIB },
      { gpa: 4 * GIB, size: 6 * GIB },
    ],
    4 * MIB,
  ],
  ['6 TiB', [{ gpa: 4 * GIB, size: 6 * 1024 * GIB }], 4 * GIB],
  ['256 MiB', [{ gpa: 0, size: 256 * MIB }], 2 * MIB],
  [
    '1,000 small slots far apart',
    Array.from({ length: 1000 }, (_, i) => ({ gpa: i * GIB, size: MIB })),
    0,
  ],
  ['the highest addresses', [{ gpa: 2 ** 52 - GIB, size: GIB }], 2 * MIB],
  ['nothing', [], 2 * MIB],
]

for (const [name, stretches, size] of guests) {
  test(`${name} is counted in at most 2,048 cells`, () => {
    const cells = new Cells(stretches)
    if (size > 0)
      assert.ok(cells.cellSize >= size && cells.cellSize <= 2 * size, `${cells.cellSize}`)
    assert.ok(cells.rows.length * ROW_CELLS <= 2048, `${cells.rows.length} rows`)
    for (const { gpa, size: bytes } of stretches) cells.add(gpa, bytes / 4096, 2)
    let sum = 0
    for (const row of cells.rows.keys()) {
      for (let column = 0; column < ROW_CELLS; column++) {
        for (const { state, pageSize, bytes } of cells.at(row, column)) {
          assert.deepEqual([state, pageSize], ['mapped', GIB])
          assert.ok(bytes <= cells.cellSize)
          sum += bytes
        }
      }
    }
    const all = stretches.reduce((total, one) => total + one.size, 0)
    assert.ok(cells.leftOut > 0 ? sum < all : sum === all, `${sum} of ${all}`)
  })
}

test('a part of a guest has cells down to a page', () => {
  const cells = new Cells([{ gpa: 0x5000000, size: 0x10000 }], true)
  assert.equal(cells.cellSize, 4096)
  cells.add(0x5000000 + 3 * 4096, 1, 5)
  assert.deepEqual(cells.at(0, 3), [{ state: 'poisoned', pageSize: null, bytes: 4096 }])
})
