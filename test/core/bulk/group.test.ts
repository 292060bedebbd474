// SPDX-License-Identifier: GPL-2.0-or-later
// Rows of a bulk translation by what they have in common, and how groups are shown.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDump, qemuVtop, UsageError, viewOf } from '../../../core/index.ts'
import { realDump } from '../../place.ts'
import { page, swapEntry } from '../../build/pagetable.ts'
import { guestHva, guestSlot, smallHost, vmmPid, withDump } from '../../build/smallhost.ts'
import { bulk } from './compare.ts'

const given = [0x10, 0x1008, 0x2000, 0x3000, 0x20000000]

function withTable(use: (table: ReturnType<typeof bulk>) => void): void {
  const entries = [
    [guestHva, 1, page(0x10000000)],
    [guestHva + 0x1000n, 1, swapEntry(0, 7)],
  ] as const
  withDump(smallHost({}, { vms: [{ slots: [guestSlot] }], entries }), (dump) => {
    use(qemuVtop(dump.task(vmmPid), given))
  })
}

test('rows are grouped by a list that goes with the input, through filter and sort', () => {
  withTable((table) => {
    const events = ['read', 'write', 'read', 'read', 'write']
    assert.deepEqual(table.groupBy({ event: events }), [
      { event: 'read', count: 3 },
      { event: 'write', count: 2 },
    ])
    assert.deepEqual(table.sort('gpa', 'descending').slice(1).groupBy('state', { event: events }), [
      { state: 'unmapped', event: 'read', count: 2 },
      { state: 'swapped', event: 'write', count: 1 },
      { state: 'mapped', event: 'read', count: 1 },
    ])
    assert.throws(
      () => table.groupBy({ event: ['read'] }),
      /groupBy\(\{name: list\}\): the input had a row 1, but there are only 1 values/,
    )
  })
})

test('rows are grouped by functions, of any value', () => {
  withTable((table) => {
    const groups = table.groupBy('slot', {
      gib: ({ gpa }) => (gpa ?? 0n) >> 28n,
      odd: ({ index }) => index % 2 === 1,
    })
    assert.deepEqual(groups, [
      { slot: 0, gib: 0n, odd: false, count: 2 },
      { slot: 0, gib: 0n, odd: true, count: 2 },
      { slot: null, gib: 2n, odd: false, count: 1 },
    ])
  })
})

test('too many groups are refused in words', () => {
  withTable((table) => {
    const many = Array.from({ length: 5000 }, (_, i) => i)
    const large = qemuVtop(table.vm, new BigUint64Array(5000))
    assert.throws(() => large.groupBy({ n: many }), UsageError)
    assert.throws(() => large.groupBy({ n: many }), /'n' has more than 4096 values/)
  })
})

test('millions of rows are counted as few are', () => {
  withTable((table) => {
    const pages = BigUint64Array.from({ length: 300_000 }, (_, i) => BigInt((i % 5000) * 4096))
    const large = bulk(table.vm, pages)
    const names = ['state', 'slot', 'pageSize'] as const
    // By a function, row by row.
    const wanted = large.groupBy({
      state: (row) => row.state,
      slot: (row) => row.slot,
      pageSize: (row) => row.pageSize,
    })
    assert.equal(wanted.length, 4)
    assert.deepEqual(large.groupBy(...names), wanted)
    for (const name of names) {
      const sums = new Map<unknown, number>()
      for (const group of wanted) sums.set(group[name], (sums.get(group[name]) ?? 0) + group.count)
      assert.deepEqual(
        new Map(large.groupBy(name).map((group) => [group[name], group.count])),
        sums,
      )
    }
  })
})

test('groups are shown as a table with their shares', () => {
  withTable((table) => {
    const text = viewOf(table.groupBy('state', 'pageSize'))?.text ?? ''
    assert.match(text, /4 groups of 5 rows/)
    assert.match(text, /unmapped +- +2 +.*40\.0 %/)
    assert.match(text, /mapped +4 KiB +1 +.*20\.0 %/)
    assert.equal(viewOf([{ count: 1 }]), undefined)
  })
})

const { path, skip } = realDump('6.12')
test('nodes are those of the page structures of the dump', { skip }, () => {
  const dump = openDump(path)
  try {
    let nodes = 0
    for (const vm of dump.vms) {
      const gpas = BigUint64Array.from({ length: 500 }, (_, i) => BigInt(i * 0x83000))
      const table = bulk(vm, gpas)
      for (let i = 0; i < gpas.length; i += 7) {
        const node = table.at(i)?.page?.node ?? null
        assert.equal(table.node[i], node ?? -1, `row ${i}`)
      }
      const groups = table.groupBy('node')
      nodes = Math.max(nodes, groups.filter(({ node }) => node !== null).length)
      for (const { node = null, count } of groups) {
        assert.equal(table.filter({ node }).length, count)
      }
      assert.deepEqual(
        [...table.sort('node').node],
        [...table.node].sort((a, b) => (a & 0xffff) - (b & 0xffff)),
      )
    }
    assert.equal(nodes, 2)
  } finally {
    dump.close()
  }
})
