// SPDX-License-Identifier: GPL-2.0-or-later
// What guests share, against the record of the host; and what is left of an index that was interrupted.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { onProgress, openDump, type SharingKind } from '../../../core/index.ts'
import { kernels, realDump } from '../../place.ts'
import { truthOf } from '../../truth.ts'

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`the frames that guests of ${kernel} share`, { skip }, () => {
    it('are as many pages of KSM, and of zeros, as the record has', () => {
      const dump = openDump(path)
      const shared = dump.sharedFrames()
      const recorded = (kind: string) =>
        truthOf(kernel).vms.reduce((sum, vm) => sum + (vm.pages_by_kind[kind] ?? 0), 0)
      const found = (kind: SharingKind) =>
        shared.groups
          .filter((group) => group.kind === kind)
          .reduce((sum, { pages }) => sum + pages, 0)
      assert.equal(found('ksm'), recorded('ksm'))
      assert.equal(found('zero'), recorded('zero-page'))
      assert.equal(found('other'), 0)
      assert.equal(shared.savedBytes, (shared.pages - shared.frames) * 4096)
      assert.deepEqual(shared.remarks, [])
      dump.close()
    })

    it('are all found after an interrupt', () => {
      const dump = openDump(path)
      const interrupt = new Error('interrupted')
      for (const work of ['guests', 'processes']) {
        const end = onProgress(({ label }) => ({
          advance: () => {
            if (label.includes(work)) throw interrupt
          },
          finish: () => undefined,
          stop: () => undefined,
        }))
        assert.throws(() => dump.whoHas(0x1000), interrupt)
        end()
      }
      const whole = openDump(path)
      assert.deepEqual(dump.sharedFrames().groups.length, whole.sharedFrames().groups.length)
      assert.deepEqual(dump.sharedFrames().pages, whole.sharedFrames().pages)
      dump.close()
      whole.close()
    })
  })
}
