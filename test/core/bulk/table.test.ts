// SPDX-License-Identifier: GPL-2.0-or-later
// What goes into a bulk translation, and what can be asked of the table that comes out.

import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import { orderOf } from '../../../core/bulk/sort.ts'
import {
  type Addresses,
  gpaToHva,
  hvaToHpa,
  NO_ADDRESS,
  qemuVtop,
  type TranslationTable,
  UsageError,
} from '../../../core/index.ts'
import { whileListening } from '../../build/listen.ts'
import { page, swapEntry } from '../../build/pagetable.ts'
import { guestHva, guestSlot, smallHost, vmmPid, withDump } from '../../build/smallhost.ts'

function withTask<T>(use: (task: Parameters<typeof qemuVtop>[0]) => T): T {
  const built = smallHost(
    {},
    {
      vms: [
        { slots: [guestSlot, { id: 3, gpa: 0x40000000, pages: 512, hva: guestHva + 0x800000n }] },
      ],
      entries: [
        [guestHva, 1, page(0x10000000)],
        [guestHva + 0x1000n, 1, swapEntry(0, 7)],
        [guestHva + 0x800000n, 2, page(0x20000000, 2)],
      ],
    },
  )
  return withDump(built, (dump) => use(dump.task(vmmPid)))
}

const given = [0x40000010, 0x5, 0x1008, 0x2000, 0x20000000]
const wanted = ['mapped', 'mapped', 'swapped', 'unmapped', 'no-slot']

describe('addresses may come as', () => {
  const forms: readonly (readonly [name: string, values: Addresses])[] = [
    ['a BigUint64Array', BigUint64Array.from(given, BigInt)],
    ['a part of a BigUint64Array', BigUint64Array.from([9, ...given], BigInt).subarray(1)],
    ['a Float64Array', Float64Array.from(given)],
    ['numbers', given],
    ['bigints', given.map(BigInt)],
    ['hex texts with 0x', given.map((gpa) => `0x${gpa.toString(16)}`)],
    ['hex texts without', given.map((gpa) => gpa.toString(16).toUpperCase())],
    ['a mix of them', [0x40000010, '5', 0x1008n, '0X2000', 0x20000000]],
    ['a set', new Set(given)],
    ['a generator', given.values()],
    ['another typed array', Uint32Array.from(given)],
  ]
  for (const [name, values] of forms) {
    it(name, () => {
      withTask((task) => {
        const table: TranslationTable = qemuVtop(task, values)
        assert.deepEqual([...table.gpa], given.map(BigInt))
        assert.deepEqual(
          [...table].map((one) => one?.state),
          wanted,
        )
        assert.deepEqual(
          given.map((_, i) => table.row(i)?.state),
          wanted,
        )
      })
    })
  }
})

test('what is no address is a row of its own, and nothing throws', () => {
  withTask((task) => {
    const bad = [
      -1,
      0.5,
      NaN,
      2 ** 53,
      -1n,
      1n << 64n,
      '',
      '0x',
      'xyz',
      '0x12345678901234567',
      ' 1',
      null,
      undefined,
      1n << 52n,
    ]
    const table = qemuVtop(task, [...bad, 5])
    assert.deepEqual(table.states, { mapped: 1, invalid: bad.length })
    assert.equal(table.at(0), null)
    assert.equal(table.row(0)?.gpa, null)
    assert.equal(table.row(bad.length - 1)?.gpa, 1n << 52n)
    assert.equal(table.at(-1)?.state, 'mapped')
    assert.equal(table.at(bad.length + 1), undefined)
    assert.deepEqual(
      [...qemuVtop(task, Float64Array.from([-1, NaN, 0.5])).gpa],
      Array(3).fill(NO_ADDRESS),
    )
  })
})

test('what is no list of addresses is refused in words', () => {
  withTask((task) => {
    for (const wrong of [{}, null] as unknown[]) {
      assert.throws(() => qemuVtop(task, wrong as number[]), UsageError)
    }
    assert.throws(
      () => qemuVtop(task, {} as unknown as number[]),
      /qemuVtop\(task, gpas\) takes an address, or many/,
    )
  })
})

test('a table is filtered, sorted, cut, grouped and joined, and each row knows its place', () => {
  withTask((task) => {
    const table = qemuVtop(task, given)
    const byGpa = table.sort('gpa')
    assert.deepEqual([...byGpa.index], [1, 2, 3, 4, 0])
    assert.deepEqual([...table.sort('gpa', 'descending').index], [0, 4, 3, 2, 1])
    assert.deepEqual([...table.sort('slot').slot], [0, 0, 0, 3, -1])
    const cut = byGpa.filter({ state: ['mapped', 'swapped'] }).slice(1)
    assert.deepEqual([...cut.index], [2, 0])
    assert.deepEqual(cut.join(['a', 'b', 'c', 'd', 'e']), ['c', 'a'])
    assert.deepEqual(cut.swapOf(0), { type: 0, offset: 7 })
    assert.equal(cut.swapOf(1), undefined)
    assert.throws(() => cut.join(['a']), /the input had a row 2, but there are only 1 values/)
    assert.deepEqual([...table.filter({ slot: null }).index], [4])
    assert.deepEqual([...table.filter({ pageSize: 0x200000 }).index], [0])
    assert.deepEqual([...table.filter(({ hpa }) => hpa === 0x10000005n).index], [1])
    assert.deepEqual(table.groupBy('slot', 'state').length, 5)
    assert.deepEqual(
      table.groupBy('slot').map(({ slot, count }) => [slot, count]),
      [
        [0, 3],
        [3, 1],
        [null, 1],
      ],
    )
    assert.deepEqual(
      table.groupBy('pageSize').map(({ pageSize, count }) => [pageSize, count]),
      [
        [null, 3],
        [0x200000, 1],
        [4096, 1],
      ],
    )
    assert.throws(() => table.groupBy(), /groupBy\(\.\.\.keys\) takes 'state', 'slot', 'pageSize'/)
    assert.deepEqual(JSON.parse(JSON.stringify(table)), {
      rows: 5,
      states: { mapped: 2, swapped: 1, unmapped: 1, 'no-slot': 1 },
      firstGpa: '0x40000010',
      lastGpa: '0x20000000',
    })
  })
})

test('an empty list gives an empty table', () => {
  withTask((task) => {
    const table = qemuVtop(task, [])
    assert.equal(table.length, 0)
    assert.equal(table.sort('hpa').filter({ state: 'mapped' }).length, 0)
    assert.deepEqual(table.toJSON(), { rows: 0, states: {}, firstGpa: null, lastGpa: null })
  })
})

test('one step alone takes one address or many', () => {
  withTask((task) => {
    assert.equal(gpaToHva(task, '0x1008'), guestHva + 0x1008n)
    assert.equal(gpaToHva(task, 0x20000000), null)
    assert.deepEqual([...gpaToHva(task, [0x1008, 0x20000000])], [guestHva + 0x1008n, NO_ADDRESS])
    assert.equal(hvaToHpa(task, guestHva + 5n), 0x10000005)
    assert.equal(hvaToHpa(task, guestHva + 0x1000n), null)
    const hvas = [guestHva + 5n, guestHva + 0x1000n, 0xffff888000000000n, 1n << 52n]
    assert.deepEqual([...hvaToHpa(task, hvas)], [0x10000005n, NO_ADDRESS, NO_ADDRESS, NO_ADDRESS])
  })
})

test('progress is told in addresses, block by block', () => {
  withTask((task) => {
    const told: unknown[] = []
    whileListening(
      (count, { unit, total }) => told.push([count, unit, total]),
      () => qemuVtop(task, new BigUint64Array(150_000)),
    )
    const wantedSteps = [0, 65536, 65536, 18928].map((count) => [count, 'addresses', 150_000])
    assert.deepEqual(told, wantedSteps)
  })
})

test('sorting is exact over all 64 bits, and keeps the order of equal rows', () => {
  const values = [3n, 1n << 63n, 2n ** 53n + 1n, 2n ** 53n, NO_ADDRESS, 0n, 3n, 1n << 32n]
  const column = BigUint64Array.from(values)
  assert.deepEqual([...orderOf(column)], [5, 0, 6, 7, 3, 2, 1, 4])
  assert.deepEqual([...orderOf(column, true)], [4, 1, 2, 3, 7, 0, 6, 5])
})
