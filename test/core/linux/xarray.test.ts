// SPDX-License-Identifier: GPL-2.0-or-later
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CorruptError } from '../../../core/errors.ts'
import { XArrays } from '../../../core/linux/xarray.ts'
import { BuiltMemory } from '../../build/memory.ts'
import { FlatSpace } from '../../build/space.ts'
import { builtTypes } from '../../build/types.ts'

const types = builtTypes(`
  struct xarray 16
    8 xa_head ptr
  struct xa_node 576
    0 shift u8
    0x28 slots ptr[64]`)

const arrays = (lines: string) => new XArrays(new FlatSpace(new BuiltMemory().text(lines)), types)

describe('XArrays', () => {
  it('takes a single entry in the head as index 0', () => {
    const single = arrays('@1000: 0 abc000')
    assert.equal(single.load(0x1000n, 0), 0xabc000n)
    assert.equal(single.load(0x1000n, 1), 0n)
  })

  it('goes down two levels', () => {
    const two = arrays('@1000: 0 2002\n@2000: 6\n@2030: 3002\n@3000: 0\n@3038: def000')
    // Slot 1 of the upper node (shift 6), slot 2 of the lower one.
    assert.equal(two.load(0x1000n, 64 + 2), 0xdef000n)
    assert.equal(two.load(0x1000n, 64 + 3), 0n)
    assert.equal(two.load(0x1000n, 2), 0n)
    assert.equal(two.load(0x1000n, 5000), 0n)
  })

  it('follows a sibling to the entry of its folio', () => {
    // Slot 5 says that slot 4 has the entry: 4 << 2 | 2.
    const folio = arrays('@1000: 0 2002\n@2000: 0\n@2048: abc000 12')
    assert.equal(folio.load(0x1000n, 5), 0xabc000n)
  })

  it('counts internal entries as none', () => {
    const retry = arrays('@1000: 0 2002\n@2000: 0\n@2028: 402 406')
    assert.equal(retry.load(0x1000n, 0), 0n)
    assert.equal(retry.load(0x1000n, 1), 0n)
  })

  it('stops at a node that is its own child', () => {
    const loop = arrays('@1000: 0 2002\n@2000: 6\n@2028: 2002*64')
    assert.throws(() => loop.load(0x1000n, 0), CorruptError)
  })
})
