// SPDX-License-Identifier: GPL-2.0-or-later
// What backs each memslot of the real dumps, against the recorded pagemap of the same pages.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { coverage, openDump } from '../../../core/index.ts'
import { kernels, realDump } from '../../place.ts'
import { pagemapOf, truthOf } from '../../truth.ts'

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`coverage of the guests in the dump of ${kernel}`, { skip }, () => {
    it('counts the pages of each memslot as the pagemap has them', () => {
      const dump = openDump(path)
      const pagemap = pagemapOf(kernel)
      for (const { pid, memslots } of truthOf(kernel).vms) {
        const counted = new Map(coverage(dump.vm(pid)).map(({ slot, shares }) => [slot.id, shares]))
        for (const slot of memslots.filter(({ address_space }) => address_space === 0)) {
          const wanted = { present: 0, swapped: 0, nothing: 0 }
          for (let page = 0; page < slot.pages; page++) {
            // Bit 63: present. Bit 62: swapped, or a special entry that looks so.
            const high = pagemap[2 * (slot.pagemap_bin_offset / 8 + page) + 1] ?? 0
            if (high >>> 31 === 1) wanted.present++
            else if (((high >>> 30) & 1) === 1) wanted.swapped++
            else wanted.nothing++
          }
          const shares = counted.get(slot.slot) ?? []
          const pages = (...states: string[]) =>
            shares
              .filter(({ state }) => states.includes(state))
              .reduce((sum, { bytes }) => sum + bytes / 4096, 0)
          const found = {
            present: pages('mapped'),
            swapped: pages('swapped', 'poisoned', 'marker', 'migrating'),
            nothing: pages('unmapped'),
          }
          assert.deepEqual(found, wanted, `pid ${pid} slot ${slot.slot}`)
        }
      }
      dump.close()
    })
  })
}
