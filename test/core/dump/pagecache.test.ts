// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/dump/pagecache.ts.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PAGE_SIZE } from '../../../core/dump/format.ts'
import { isZero, PageCache, zeroPage } from '../../../core/dump/pagecache.ts'

const page = (byte: number) => new Uint8Array(PAGE_SIZE).fill(byte)

describe('PageCache', () => {
  it('gives back the very array that was added', () => {
    const cache = new PageCache()
    const one = page(1)
    assert.equal(cache.add(10, one), one)
    assert.equal(cache.get(10), one)
    assert.equal(cache.get(11), undefined)
  })

  it('has one page of zeros for all', () => {
    const cache = new PageCache()
    assert.equal(cache.add(10, page(0)), zeroPage)
    assert.equal(cache.add(20, page(0)), zeroPage)
    assert.equal(cache.get(10), zeroPage)
  })

  it('holds no more pages than its budget has room for', () => {
    const budget = 100 * PAGE_SIZE
    const cache = new PageCache(budget)
    for (let i = 0; i < 1000; i++) cache.add(i, page(1))
    const kept = Array.from({ length: 1000 }, (_, i) => i).filter((i) => cache.get(i) !== undefined)
    assert.ok(kept.length >= 40 && kept.length <= 100, `${kept.length} pages`)
    assert.equal(kept.at(-1), 999)
  })

  it('bounds the number of pages of zeros too', () => {
    const cache = new PageCache(64 * 100)
    for (let i = 0; i < 1000; i++) cache.add(i, zeroPage)
    const kept = Array.from({ length: 1000 }, (_, i) => i).filter((i) => cache.get(i) !== undefined)
    assert.ok(kept.length <= 100, `${kept.length} pages`)
  })

  it('keeps a page that is used, while others come and go', () => {
    const cache = new PageCache(20 * PAGE_SIZE)
    const used = page(9)
    cache.add(5000, used)
    for (let i = 0; i < 1000; i++) {
      cache.add(i, page(1))
      assert.equal(cache.get(5000), used)
    }
  })
})

describe('isZero', () => {
  it('sees a single bit anywhere', () => {
    assert.equal(isZero(page(0)), true)
    for (const at of [0, 1, 2047, 4094, 4095]) {
      const one = page(0)
      one[at] = 1
      assert.equal(isZero(one), false)
    }
  })
})
