// SPDX-License-Identifier: GPL-2.0-or-later
// A bulk translation beside single ones: every column of a row has to say what `translate` says.

import assert from 'node:assert/strict'
import { type ResultColumns } from '../../../core/bulk/columns.ts'
import { type RunOptions } from '../../../core/bulk/run.ts'
import { translateAll } from '../../../core/bulk/vtop.ts'
import { type TranslationTable, qemuVtop, type Vm } from '../../../core/index.ts'

/** All ways to do a run. */
export const ways: readonly RunOptions[] = [
  { kernel: 'js', loop: 'near' },
  { kernel: 'js', loop: 'far' },
  { kernel: 'wasm', loop: 'near' },
  { kernel: 'wasm', loop: 'far' },
]

/** A run done in one way. */
export function bulk(vm: Vm, gpas: BigUint64Array, way: RunOptions = {}): TranslationTable {
  return translateAll(vm, gpas, 'test', way)
}

/** Compares the columns of a row with the single translation of its address. */
export function checkRow(vm: Vm, table: TranslationTable, i: number): void {
  const row = table.row(i)
  assert.ok(row?.gpa !== undefined && row.gpa !== null)
  const single = qemuVtop(vm, row.gpa)
  const where = `gpa 0x${row.gpa.toString(16)}: ${single.reason}`
  assert.equal(row.state, single.state, where)
  assert.equal(row.hva, single.hva, where)
  assert.equal(row.hpa, single.hpa === null ? null : BigInt(single.hpa), where)
  assert.equal(row.pageSize, single.pageSize, where)
  assert.equal(row.slot, single.slot?.id ?? null, where)
  const { swap } = single
  const wanted = swap === null ? undefined : { type: swap.type, offset: swap.offset }
  assert.deepEqual(table.swapOf(i), wanted, where)
}

/** Two tables, or what they are made of, have the same columns. */
export function checkSame(given: ResultColumns, wanted: ResultColumns, what = ''): void {
  for (const column of ['gpa', 'hva', 'hpa', 'state', 'pageShift', 'slot'] as const) {
    // Compared as bytes: element by element takes minutes for millions.
    const bytes = (table: ResultColumns) => {
      const { buffer, byteOffset, byteLength } = table[column]
      return Buffer.from(buffer, byteOffset, byteLength)
    }
    assert.ok(bytes(given).equals(bytes(wanted)), `${column} ${what}`)
  }
}
