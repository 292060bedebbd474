// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/linux/pids.ts: numbers looked up as the kernel does lead to the tasks that its lists have.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openDump } from '../../../core/index.ts'
import { Pids } from '../../../core/linux/pids.ts'
import { kernels, realDump } from '../../place.ts'

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`Pids of the dump of ${kernel}`, { skip }, () => {
    it('lead to every process and thread of the lists, and to nothing else', () => {
      const dump = openDump(path)
      const pids = Pids.of(dump.host)
      assert.ok(pids)
      const tasks = dump.tasks().flatMap((process) => process.threads)
      assert.ok(tasks.length > 50)
      const known = new Set<number>()
      for (const { pid, address } of tasks) {
        known.add(pid)
        // Idle tasks have no number of their own.
        if (pid !== 0) assert.equal(pids.taskOf(pid), address, `pid ${pid}`)
      }
      for (const pid of [0, 32_767, 4_194_303]) {
        if (!known.has(pid) || pid === 0) assert.equal(pids.taskOf(pid), undefined)
      }
      dump.close()
    })
  })
}
