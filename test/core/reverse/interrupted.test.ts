// SPDX-License-Identifier: GPL-2.0-or-later
// Progress of the way back, and what is left when it is stopped at each step: nothing half-done.
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

describe('progress of the index of the way back', () => {
  for (const kernel of kernels) {
    const { path, skip } = realDump(kernel)
    it(
      `tells of each page of the guests of ${kernel}, and of what processes have mapped`,
      { skip },
      () => {
        const dump = openDump(path)
        const told = new Map<string, { total: number | undefined; done: number }>()
        const end = onProgress(({ label, total }) => {
          const work = { total, done: 0 }
          told.set(label, work)
          return {
            advance: (count) => {
              work.done += count
            },
            finish: () => undefined,
            stop: () => assert.fail(label),
          }
        })
        const { hpa } = dump.whoHas([0])
        end()
        assert.equal(hpa.length, 1)
        const guests = told.get("noting the guests' frames") ?? assert.fail()
        assert.equal(guests.done, guests.total)
        const processes = told.get("noting the processes' frames") ?? assert.fail()
        // No more than the host's memory can hold: gaps between areas do not count.
        assert.ok(processes.done > 5000 && processes.done < dump.memory.source.endPfn)
        dump.close()
      },
    )
  }
})

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
