// SPDX-License-Identifier: GPL-2.0-or-later
// Threads that help with large runs: the same columns, no matter who did which block.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { helpersFor } from '../../../core/bulk/pool.ts'
import { onProgress, openDump } from '../../../core/index.ts'
import { kernels, realDump, root } from '../../place.ts'
import { bulk, checkSame } from './compare.ts'

/** Rows enough for some blocks, not a whole number of them. */
const ROWS = 1_000_003

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  test(`threads together give what one gives, cold and warm, on ${kernel}`, { skip }, () => {
    const cold = openDump(path)
    const dump = openDump(path)
    try {
      for (const [i, vm] of dump.vms.entries()) {
        const pages = vm.memslots
          .filter(({ addressSpace }) => addressSpace === 0)
          .flatMap(({ gpa, npages }) => [gpa, gpa + (npages - 1) * 4096, gpa + npages * 2048])
        const gpas = new BigUint64Array(ROWS)
        for (let row = 0; row < ROWS; row++) {
          gpas[row] = BigInt((pages[row % pages.length] ?? 0) + (Math.imul(row, 40503) & 0xffffff))
        }
        const wanted = bulk(vm, gpas, { helpers: 0 })
        const coldVm = cold.vms[i]
        assert.ok(coldVm)
        checkSame(bulk(coldVm, gpas, { helpers: 1 }), wanted)
        checkSame(bulk(coldVm, gpas, { helpers: 3, loop: 'far' }), wanted)
      }
    } finally {
      cold.close()
      dump.close()
    }
  })
}

test('progress of threads together comes to all rows', { skip: realDump('6.12').skip }, () => {
  const dump = openDump(realDump('6.12').path)
  let told = 0
  const end = onProgress(() => ({
    advance: (count) => {
      told += count
    },
    finish: () => undefined,
    stop: () => undefined,
  }))
  try {
    const [vm] = dump.vms
    assert.ok(vm)
    bulk(vm, new BigUint64Array(ROWS), { helpers: 2 })
    assert.equal(told, ROWS)
  } finally {
    end()
    dump.close()
  }
})

test('small runs stay in one thread', () => {
  assert.equal(helpersFor(1_000_000), 0)
})

test('a process ends although its threads are kept', { skip: realDump('6.12').skip }, () => {
  const core = JSON.stringify(join(root, 'dist/core/index.js'))
  const code = `import { openDump, qemuVtop } from ${core}
    const [vm] = openDump(${JSON.stringify(realDump('6.12').path)}).vms
    console.log(qemuVtop(vm, new BigUint64Array(5_000_000)).length)`
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  assert.equal(out.trim(), '5000000')
})
