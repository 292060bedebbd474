// SPDX-License-Identifier: GPL-2.0-or-later
// XArrays that a test writes, one entry at a time and as runs.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CorruptError, FaultError } from '../../../core/errors.ts'
import { XArrays } from '../../../core/linux/xarray.ts'
import { BuiltMemory } from '../../build/memory.ts'
import { seededRandom } from '../../build/random.ts'
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

/** A tree with a bit of everything, of nodes one behind the other as slabs have them; some of their pages are lost. */
class RandomTree {
  readonly memory = new BuiltMemory()
  readonly #random: () => number
  #free = 0x10000

  constructor(seed: number) {
    this.#random = seededRandom(seed)
    const head = this.upTo(8) === 0 ? 0xabc000n : BigInt(this.#node(this.upTo(4) * 6)) + 2n
    this.memory.u64(0x1008, head)
    for (let page = 0x11000; page < this.#free; page += 4096) {
      if (this.upTo(2) === 0) this.memory.lose(page, { why: 'excluded', detail: 'taken away' })
    }
  }

  upTo(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  #node(shift: number): number {
    const at = this.#free
    this.#free += 576
    this.memory
      .zero(at)
      .zero(at + 575)
      .u8(at, shift)
    for (let slot = 0; slot < 64; slot++) slot += this.#fill(at, slot, shift)
    return at
  }

  /** Gives how many slots beside the one it filled. */
  #fill(node: number, slot: number, shift: number): number {
    const set = (to: number, entry: bigint) => this.memory.u64(node + 0x28 + 8 * to, entry)
    const kind = this.upTo(12)
    const pointer = 0xffffea0000000000n + BigInt(this.upTo(1000) * 64)
    if (kind < 3) set(slot, BigInt(2 * this.upTo(3) + 1))
    else if (kind === 3) set(slot, 0x402n)
    else if (kind < 6) set(slot, pointer)
    else if (kind === 6) {
      const others = Math.min(2 ** this.upTo(4), 64 - slot) - 1
      set(slot, pointer)
      for (let i = 1; i <= others; i++) set(slot + i, BigInt((slot << 2) | 2))
      return others
    } else if (kind < 9 && shift > 0 && this.#free < 0x40000) {
      // Kernels go down by one level each time; a damaged tree may skip some.
      const below = this.upTo(5) === 0 ? this.upTo(shift) : Math.max(0, shift - 6)
      set(slot, BigInt(this.#node(below)) + 2n)
    }
    return 0
  }
}

/** What an index holds, as text: its entry and where that begins, or why nobody knows. */
function found(arrays: XArrays, index: number): string {
  try {
    const { entry, first } = arrays.find(0x1000n, index)
    return `${entry}${entry !== 0n && (entry & 1n) === 0n ? ` from ${first}` : ''}`
  } catch (error) {
    assert.ok(error instanceof FaultError)
    return error.message
  }
}

describe('a range of an XArray', () => {
  it('holds what each of its indexes holds, in any tree', () => {
    const seen = { entries: 0, runs: 0, faults: 0 }
    for (let seed = 1; seed <= 150; seed++) {
      const tree = new RandomTree(seed)
      const all = new XArrays(new FlatSpace(tree.memory), types)
      for (let range = 0; range < 6; range++) {
        const from = tree.upTo([64, 4096, 2 ** 18, 2 ** 24][range % 4] ?? 1)
        const count = 1 + tree.upTo(600)
        let next = from
        all.scan(0x1000n, from, count, {
          entry(index, pages, low, high, first) {
            assert.equal(index, next, `seed ${seed}`)
            const entry = BigInt(high) * 2n ** 32n + BigInt(low)
            const isPointer = entry !== 0n && (entry & 1n) === 0n
            for (let at = index; at < index + pages; at++) {
              const given = `${entry}${isPointer ? ` from ${first}` : ''}`
              assert.equal(given, found(all, at), `seed ${seed}, index ${at}`)
            }
            next += pages
            seen.runs++
            if (isPointer) seen.entries += pages
          },
          lost(index, pages, error) {
            assert.equal(index, next, `seed ${seed}`)
            for (let at = index; at < index + pages; at++) {
              assert.equal(error.message, found(all, at), `seed ${seed}, index ${at}`)
            }
            next += pages
            seen.faults++
          },
        })
        assert.equal(next, from + count)
      }
    }
    assert.ok(seen.entries > 1000 && seen.runs > 1000 && seen.faults > 20, JSON.stringify(seen))
  })

  it('is visited once for a stretch without entries, and for neighbours that hold the same', () => {
    const two = arrays('@1000: 0 2002\n@2000: 6\n@2028: 3002\n@3000: 0\n@3028: 11*64')
    const runs: (readonly [number, number, number])[] = []
    two.scan(0x1000n, 10, 1e9, {
      entry: (index, count, low) => runs.push([index, count, low]),
      lost: () => assert.fail(),
    })
    assert.deepEqual(runs, [
      [10, 54, 0x11],
      [64, 4096 - 64, 0],
      [4096, 1e9 + 10 - 4096, 0],
    ])
  })

  it('stops at a node that is its own child', () => {
    const loop = arrays('@1000: 0 2002\n@2000: 6\n@2028: 2002*64')
    const visitor = { entry: () => undefined, lost: () => undefined }
    assert.throws(() => {
      loop.scan(0x1000n, 0, 10, visitor)
    }, CorruptError)
  })
})
