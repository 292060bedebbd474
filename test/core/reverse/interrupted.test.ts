// SPDX-License-Identifier: GPL-2.0-or-later
// The way back for many frames when it is stopped at each step of its progress: nothing half-done is left.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type HostDump, onProgress, openDump, type OwnerTable } from '../../../core/index.ts'
import { kernels, realDump } from '../../place.ts'

const ROWS = 100_000

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`many frames of ${kernel}, stopped in the middle`, { skip }, () => {
    it('are told of as if nothing had happened', () => {
      let told = 0
      checkAfter(path, (dump, hpas) => {
        const interrupt = new Error('interrupted')
        for (let step = 0; ; step++) {
          let left = step
          const end = onProgress(({ label }) => ({
            advance: () => {
              if (label.startsWith('finding') && left-- === 0) throw interrupt
            },
            finish: () => undefined,
            stop: () => told++,
          }))
          try {
            return dump.whoHas(hpas)
          } catch (error) {
            assert.equal(error, interrupt)
          } finally {
            end()
          }
        }
      })
      assert.ok(told > 3, `${told} stops`)
    })
  })
}

/** Compares what `run` gives with what a dump gives that was left in peace. */
function checkAfter(path: string, run: (dump: HostDump, hpas: Float64Array) => OwnerTable): void {
  const [peaceful, dump] = [openDump(path), openDump(path)]
  const { endPfn } = dump.memory.source
  const hpas = Float64Array.from({ length: ROWS }, (_, i) => ((i * 7919) % endPfn) * 4096)
  const found = run(dump, hpas)
  const wanted = peaceful.whoHas(hpas)
  for (const column of ['kind', 'vm', 'gpa', 'slot', 'pid', 'hva', 'owners'] as const) {
    assert.deepEqual(found[column], wanted[column], column)
  }
  dump.close()
  peaceful.close()
}
