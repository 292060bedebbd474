// SPDX-License-Identifier: GPL-2.0-or-later
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { UnsupportedError } from '../../../../core/errors.ts'
import { type Host } from '../../../../core/linux/host.ts'
import { entryValues } from '../../../../core/linux/swap/entryvalue.ts'
import { BuiltMemory } from '../../../build/memory.ts'
import { FlatSpace } from '../../../build/space.ts'
import { builtTypes } from '../../../build/types.ts'

const radix = 'struct radix_tree_root 16\n 8 rnode ptr'
const direct = 'struct shmem_inode_info 256\n 0 i_direct u64[16]'
const later = 'struct shmem_inode_info 256\n 0 swapped u64'

/** A host with so many swap devices, and with one swapper_space unless `spaces` says otherwise. */
function valuesOf(types: string, devices = 1, spaces?: 'by type') {
  const memory = new BuiltMemory().text(`@1000: ${devices}`)
  const symbols: Record<string, bigint> = { nr_swapfiles: 0x1000n }
  symbols[spaces === undefined ? 'swapper_space' : 'swapper_spaces'] = 0x2000n
  const host = {
    space: new FlatSpace(memory),
    types: builtTypes(types),
    symbols: { address: (name: string) => symbols[name] },
    symbol: (name: string) => symbols[name] ?? assert.fail(name),
  }
  return entryValues(host as unknown as Host)
}

// SWP_TYPE_SHIFT of include/linux/swapops.h.
const rows = [
  { name: '2.6.32', values: valuesOf(`${radix}\n${direct}`), shift: 59n },
  { name: '3.10 to 4.19', values: valuesOf(`${radix}\n${later}`, 9, 'by type'), shift: 57n },
  { name: '4.20 and later', values: valuesOf('struct xarray 16\n 8 xa_head ptr'), shift: 58n },
]

describe('The value of a swap entry', () => {
  for (const { name, values, shift } of rows) {
    it(`has its type above ${shift} bits in ${name}`, () => {
      const value = (4n << shift) + 0x12345n
      assert.deepEqual(values.of(4, 0x12345), [value])
      assert.deepEqual(values.read(value), { type: 4, offset: 0x12345 })
    })
  }

  const both = `${radix}\n${later}`

  it('of 3.1 to 3.8 is one for the first device, and can be two for others', () => {
    assert.deepEqual(valuesOf(both).of(0, 5), [5n])
    assert.deepEqual(valuesOf(both).read(5n), { type: 0, offset: 5 })
    assert.deepEqual(valuesOf(both).of(1, 5), [(1n << 57n) + 5n, (1n << 59n) + 5n])
  })

  it('of 3.1 to 3.8 is read as that of a device which the host has', () => {
    const values = valuesOf(both, 2)
    assert.deepEqual(values.read((1n << 57n) + 5n), { type: 1, offset: 5 })
    assert.deepEqual(values.read((1n << 59n) + 5n), { type: 1, offset: 5 })
  })

  it('of 3.1 to 3.8 is refused when both readings name a device', () => {
    const values = valuesOf(both, 5)
    assert.deepEqual(values.read((3n << 57n) + 5n), { type: 3, offset: 5 })
    assert.throws(() => values.read((4n << 57n) + 5n), UnsupportedError)
  })
})
