// SPDX-License-Identifier: GPL-2.0-or-later
// How much memory sharing saves, against the recorded pagemaps of all guests of a host: frames that several pages have.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openDump } from '../../../core/index.ts'
import { kernels, realDump } from '../../place.ts'
import { pagemapOf, truthOf } from '../../truth.ts'

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`the frames that guests of ${kernel} share`, { skip }, () => {
    it('save as much, for each set of guests, as the pagemaps say', () => {
      const wanted = new Map<string, { frames: number; pages: number; savedBytes: number }>()
      for (const pages of pagesByFrame(kernel).values()) {
        if (pages.size < 2) continue
        const pids = [...new Set([...pages].map((page) => Number(page.split(' ')[0])))]
        const who = pids.sort((a, b) => a - b).join(' ')
        const sum = wanted.get(who) ?? { frames: 0, pages: 0, savedBytes: 0 }
        sum.frames++
        sum.pages += pages.size
        sum.savedBytes += (pages.size - 1) * 4096
        wanted.set(who, sum)
      }
      const dump = openDump(path)
      const shared = dump.sharedFrames()
      const given = new Map<string, { frames: number; pages: number; savedBytes: number }>()
      for (const { vms, frames, pages, savedBytes } of shared.groups) {
        const pids = vms.map(({ task }) => task?.pid ?? 0)
        const who = pids.sort((a, b) => a - b).join(' ')
        const sum = given.get(who) ?? { frames: 0, pages: 0, savedBytes: 0 }
        sum.frames += frames
        sum.pages += pages
        sum.savedBytes += savedBytes
        given.set(who, sum)
      }
      assert.deepEqual(given, wanted)
      const saved = [...wanted.values()].reduce((sum, { savedBytes }) => sum + savedBytes, 0)
      assert.equal(shared.savedBytes, saved)
      assert.ok(saved > 2 ** 23, `${saved}`)
      dump.close()
    })
  })
}

/** The pages of all guests that have a frame, as `pid hva`: a page that two memslots show is one. */
function pagesByFrame(kernel: string): Map<number, Set<string>> {
  const pagemap = pagemapOf(kernel)
  const frames = new Map<number, Set<string>>()
  for (const { pid, memslots } of truthOf(kernel).vms) {
    for (const { pages, hva, pagemap_bin_offset } of memslots) {
      for (let page = 0; page < pages; page++) {
        const at = 2 * (pagemap_bin_offset / 8 + page)
        const high = pagemap[at + 1] ?? 0
        if (high >>> 31 === 0) continue
        const pfn = (high & 0x7fffff) * 2 ** 32 + (pagemap[at] ?? 0)
        const having = frames.get(pfn) ?? new Set()
        having.add(`${pid} ${Number(hva) + page * 4096}`)
        frames.set(pfn, having)
      }
    }
  }
  return frames
}
