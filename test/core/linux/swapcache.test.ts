// SPDX-License-Identifier: GPL-2.0-or-later
// Swap tables, whose length depends on how the kernel was built.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Host } from '../../../core/linux/host.ts'
import { type Pages } from '../../../core/linux/page.ts'
import { swapCache } from '../../../core/linux/swap/swapcache.ts'
import { BuiltMemory } from '../../build/memory.ts'
import { FlatSpace } from '../../build/space.ts'
import { builtTypes } from '../../build/types.ts'

// mm/swap.h and mm/swap_table.h of 7.2; without huge pages SWAPFILE_CLUSTER is 256.
const typesOf = (length: number) =>
  builtTypes(`
    struct swap_info_struct 16
      8 cluster_info ptr
    struct swap_cluster_info 16
      8 table ptr
    struct swap_table ${8 * length}
      0 entries u64[${length}]`)

describe('swap tables', () => {
  for (const length of [512, 256]) {
    it(`of ${length} entries lead to the frame of a page in the second one`, () => {
      const memory = new BuiltMemory().text('@1000: 0 2000\n@2000: 0 3000 0 5000\n@3000: 0')
      for (let page = 0x3000; page < 0x7000; page += 4096) memory.zero(page)
      // Page 3 of the second table: frame 0x123 above the bits 10.
      memory.u64(0x5000 + 3 * 8, (0x123n << 2n) | 2n)
      const host = { space: new FlatSpace(memory), types: typesOf(length) } as unknown as Host
      const pages = { ifFrame: (pfn: number) => pfn } as unknown as Pages
      const cache = swapCache(host, pages)
      assert.equal(cache.find(0x1000n, 0, length + 3), 0x123)
      assert.equal(cache.find(0x1000n, 0, 3), undefined)
    })
  }
})
