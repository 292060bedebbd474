// SPDX-License-Identifier: GPL-2.0-or-later
// A bulk translation that ends in the middle: what is done is kept, and the next one is whole.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  onProgress,
  openDump,
  type TranslationTable,
  unfinished,
  UnfinishedError,
} from '../../../core/index.ts'
import { realDump } from '../../place.ts'
import { bulk, checkSame } from './compare.ts'

const ROWS = 1_000_000
const { path, skip } = realDump('6.12')

/** Ends a run at the first word of progress after `rows` rows. */
function stopAfter(rows: number, run: () => TranslationTable): UnfinishedError {
  let done = 0
  const end = onProgress(() => ({
    advance: (count) => {
      done += count
      if (done >= rows) throw new Error('enough')
    },
    finish: () => undefined,
    stop: () => undefined,
  }))
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof UnfinishedError)
    return error
  } finally {
    end()
  }
  return assert.fail('it came to its end')
}

for (const helpers of [0, 1]) {
  test(`what stops a run with ${helpers} more threads has its rows`, { skip }, () => {
    const dump = openDump(path)
    try {
      const [vm] = dump.vms
      assert.ok(vm)
      const gpas = new BigUint64Array(ROWS).map((_, i) => BigInt((i * 40503) % 0x40000000))
      const whole = bulk(vm, gpas, { helpers: 0 })
      assert.equal(unfinished(), undefined)
      const { table, total, message, cause } = stopAfter(300_000, () => bulk(vm, gpas, { helpers }))
      assert.equal(total, ROWS)
      assert.ok(table.length > 200_000 && table.length < ROWS, `${table.length} rows`)
      assert.equal((cause as Error).message, 'enough')
      const last = table.index.at(-1) ?? 0
      const done = table.length.toLocaleString('en-US')
      assert.equal(
        message,
        `stopped when ${done} of 1,000,000 rows were done (they are error.table; the last of them is row ${last}): enough`,
      )
      const wanted = new Set(table.index)
      checkSame(
        table,
        whole.only((row) => wanted.has(row)),
      )
      checkSame(bulk(vm, gpas, { helpers }), whole)
      assert.equal(unfinished(), undefined)
    } finally {
      dump.close()
    }
  })
}
