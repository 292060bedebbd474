// SPDX-License-Identifier: GPL-2.0-or-later
// Real dumps: a page that other threads unpacked is the page that is read alone, and a missing one is missing alike.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openPages } from '../../../core/dump/open.ts'
import { kernels, realDump } from '../../place.ts'
import { seededRandom } from '../../build/random.ts'

const BATCHES = 16
const BATCH = 512

describe('pages that are asked for ahead', () => {
  for (const kernel of kernels) {
    const { path, skip } = realDump(kernel)
    it(`are the pages of ${kernel}`, { skip }, () => {
      const source = openPages(path)
      const alone = openPages(path)
      const next = seededRandom(12)
      let found = 0
      for (let batch = 0; batch < BATCHES; batch++) {
        const pfns = Array.from({ length: BATCH }, () => Math.floor(next() * source.endPfn))
        source.ahead?.(pfns)
        for (const pfn of pfns) {
          const page = source.page(pfn)
          if (page instanceof Uint8Array) found++
          assert.deepEqual(page, alone.page(pfn), `frame ${pfn}`)
        }
      }
      assert.ok(found > 100, `only ${found} of the frames are saved`)
      source.close()
      alone.close()
    })
  }
})
