// SPDX-License-Identifier: GPL-2.0-or-later
// Every way in which a page walk can end, on hosts written for it, through the front door.

import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import { qemuVtop, type Translation } from '../../../core/index.ts'
import { type HostDescription } from '../../build/linux.ts'
import { page, protNone, swapEntry, TABLE } from '../../build/pagetable.ts'
import { smallHost, vmmPid, withDump } from '../../build/smallhost.ts'

// The vectors were worked out by hand from pgtable_64.h and pgtable-invert.h, before there was a writer.
test('entries are written as the kernel writes them', () => {
  assert.equal(swapEntry(0, 1), 0x07fffffffffffc00n)
  assert.equal(swapEntry(3, 0x1234), 0x1fffffffffdb9600n)
  assert.equal(swapEntry(25, 0x3ffffffff), 0xcffff80000000000n)
  assert.equal(protNone(0x123456000) & 0x000ffffffffff000n, 0x000ffffedcba9000n)
  assert.equal(protNone(0x1c0000000, 2) & 0x000fffffffe00000n, 0x000ffffe3fe00000n)
})

/** A gpa in the middle of the guest's only mapping, so that offsets count. */
const gpa = 0x40212345
const GIB = 0x40000000
const MIB2 = 0x200000

/** The state, hpa and size of an answer, and words of its reason. */
interface Wanted {
  readonly state: Translation['state']
  readonly hpa?: number
  readonly pageSize?: number
  readonly reason?: RegExp
  readonly swap?: Translation['swap']
}

interface Row extends Wanted {
  readonly name: string
  readonly level: number
  readonly entry: bigint
  /** MAX_SWAPFILES. */
  readonly swapFiles?: number
  readonly swaps?: HostDescription['swaps']
}

const swaps = [{ path: '/dev/vda2', pages: 1000, cached: [[7, 0x20007000] as const] }]

const rows: readonly Row[] = [
  {
    ...{ name: 'a page of 4 KiB', level: 1, entry: page(0x10012000) },
    ...{ state: 'mapped', hpa: 0x10012345, pageSize: 4096 },
  },
  {
    ...{ name: 'a page of 2 MiB', level: 2, entry: page(0x10200000, 2) },
    ...{ state: 'mapped', hpa: 0x10212345, pageSize: MIB2 },
  },
  {
    ...{ name: 'a page of 1 GiB', level: 3, entry: page(GIB, 3) },
    ...{ state: 'mapped', hpa: GIB + 0x212345, pageSize: GIB },
  },
  {
    ...{ name: 'a PROT_NONE page of 4 KiB', level: 1, entry: protNone(0x10012000) },
    ...{ state: 'mapped', hpa: 0x10012345, pageSize: 4096, reason: /NUMA balancing/ },
  },
  {
    ...{ name: 'a PROT_NONE page of 2 MiB', level: 2, entry: protNone(0x10200000, 2) },
    ...{ state: 'mapped', hpa: 0x10212345, pageSize: MIB2, reason: /NUMA balancing/ },
  },
  {
    ...{ name: 'a huge page in a split', level: 2, entry: protNone(0x10200000, 2) & ~0x100n },
    ...{ state: 'mapped', hpa: 0x10212345, pageSize: MIB2, reason: /may not use now/ },
  },
  {
    ...{ name: 'an empty PTE', level: 1, entry: 0n },
    ...{ state: 'unmapped', reason: /never touched, or given back: the PTE entry is empty/ },
  },
  {
    ...{ name: 'an empty PMD', level: 2, entry: 0n },
    ...{ state: 'unmapped', reason: /the PMD entry is empty/ },
  },
  {
    ...{ name: 'a migration entry', level: 1, entry: swapEntry(28, 0x10012) },
    ...{ state: 'migrating', hpa: 0x10012345, reason: /moving the page away from 0x10012345/ },
  },
  {
    ...{ name: 'a migration entry that is young and dirty', level: 1 },
    ...{ entry: swapEntry(30, 0x10012 + 3 * 2 ** 40), state: 'migrating', hpa: 0x10012345 },
  },
  {
    ...{ name: 'a huge page that is migrated', level: 2, entry: swapEntry(29, 0x10200) },
    ...{ state: 'migrating', hpa: 0x10212345 },
  },
  {
    ...{ name: 'a poisoned page of 4 KiB', level: 1, entry: swapEntry(27, 0x10012) },
    ...{
      state: 'poisoned',
      hpa: 0x10012345,
      reason: /a memory error took frame 0x10012 out of use/,
    },
  },
  {
    ...{ name: 'a poisoned hugetlb page of 2 MiB', level: 2, entry: swapEntry(27, 0x10200) },
    ...{
      state: 'poisoned',
      hpa: 0x10212345,
      reason: /took the 2 MiB page at 0x10200000 out of use/,
    },
  },
  {
    ...{ name: 'a marker of userfaultfd', level: 1, entry: swapEntry(31, 1) },
    ...{ state: 'marker', reason: /marker: uffd-wp/ },
  },
  {
    ...{ name: 'a marker of a guard page', level: 1, entry: swapEntry(31, 4) },
    ...{ state: 'marker', reason: /marker: guard/ },
  },
  {
    ...{ name: 'a marker of poison', level: 1, entry: swapEntry(31, 2) },
    ...{ state: 'poisoned', reason: /marker: poisoned/ },
  },
  {
    ...{ name: "a page in a device's memory", level: 1, entry: swapEntry(26, 0x3000) },
    ...{ swapFiles: 22, state: 'device-private', reason: /in a device's memory, frame 0x3000/ },
  },
  {
    ...{ name: 'a page that is lent to a device', level: 1, entry: swapEntry(28, 0x10012) },
    ...{ swapFiles: 22, state: 'device-private', hpa: 0x10012345, reason: /lent to a device/ },
  },
  {
    ...{ name: 'a swapped page', level: 1, entry: swapEntry(0, 5), swaps, state: 'swapped' },
    ...{ swap: { type: 0, offset: 5, path: '/dev/vda2', cachedAt: null } },
    reason: /^swapped to \/dev\/vda2 at offset 5$/,
  },
  {
    ...{ name: 'a swapped page that the swap cache still has', level: 1, entry: swapEntry(0, 7) },
    ...{ swaps, state: 'swapped', reason: /still in the swap cache at 0x20007345/ },
    swap: { type: 0, offset: 7, path: '/dev/vda2', cachedAt: 0x20007345 },
  },
  {
    ...{ name: 'a swapped page of a device that is not there', level: 1, entry: swapEntry(9, 5) },
    ...{ swaps, state: 'swapped', reason: /offset 5 of device 9, which the host does not have/ },
    swap: { type: 9, offset: 5, path: null, cachedAt: null },
  },
  {
    ...{ name: 'a special type that the kernel does not have', level: 1, entry: swapEntry(31, 5) },
    ...{ swapFiles: 30, state: 'unmapped', reason: /swap type 31, which this kernel does not use/ },
  },
  {
    ...{ name: 'a large page in a table that has none', level: 4, entry: page(GIB, 3) },
    ...{
      state: 'unmapped',
      reason: /the entry \w+ 0x80000000400000e7 at 0x\w+ cannot be: .*damaged/,
    },
  },
  {
    ...{ name: 'an upper entry that is not PRESENT', level: 4, entry: 0x1000n },
    ...{ state: 'unmapped', reason: /0x1000 at 0x\w+ cannot be: the page table is damaged/ },
  },
]

for (const levels of [4, 5] as const) {
  describe(`a walk of ${levels} levels ends right at`, () => {
    // Bits 47 to 55 exist with five levels only.
    const hva = levels === 4 ? 0x7f0000000000n : 0x7f0c0000000000n
    for (const row of rows) {
      it(row.name, () => {
        const { answer, text } = translated(levels, hva, row)
        assert.match(text, new RegExp(`^ {5}STATE {2}${row.state}`, 'm'))
        assert.equal(answer.state, row.state, answer.reason)
        assert.equal(answer.hva, hva + BigInt(gpa))
        assert.equal(answer.hpa, row.hpa ?? null)
        assert.equal(answer.pageSize, row.pageSize ?? null)
        assert.deepEqual(answer.swap, row.swap ?? null)
        if (row.reason !== undefined) assert.match(answer.reason, row.reason)
        assert.equal(answer.walk?.steps.length, levels - row.level + 1)
        assert.equal(answer.walk.steps.at(-1)?.value, row.entry)
        assert.equal(answer.vma?.start, hva)
        assert.equal(answer.page?.hpa ?? null, row.hpa === undefined ? null : row.hpa - 0x345)
        assert.deepEqual(answer.remarks, [])
      })
    }
  })
}

function translated(levels: 4 | 5, hva: bigint, { level, entry, ...row }: Row) {
  const built = smallHost(
    {
      levels,
      ...(row.swapFiles === undefined ? {} : { swapFiles: row.swapFiles }),
      ...(row.swaps === undefined ? {} : { swaps: row.swaps }),
      frames: row.hpa === undefined ? [] : [{ hpa: row.hpa - 0x345 }],
    },
    {
      vms: [{ slots: [{ id: 0, gpa: 0, pages: 0x80000, hva }] }],
      vmas: [
        { start: 0x550000000000n, end: 0x550000002000n },
        { start: hva, end: hva + 0x80000000n },
      ].sort((a, b) => (a.start < b.start ? -1 : 1)),
      entries: [[hva + BigInt(gpa), level, entry]],
    },
  )
  return withDump(built, (dump) => {
    const answer = qemuVtop(dump.task(vmmPid), gpa)
    // VMA and page are looked up when first asked for: the file is closed soon.
    return { answer, text: String(answer) }
  })
}

describe('an address that the processor has not', () => {
  const bad: readonly (readonly [name: string, hva: bigint])[] = [
    ['between the halves', 0x0000800000000000n],
    ["in the kernel's half", 0xffff9a0000000000n],
    ['above 2^64', 0xfffffffffffff000n],
  ]
  for (const [name, hva] of bad) {
    it(`is said to be none when a memslot leads there: ${name}`, () => {
      const built = smallHost({}, { vms: [{ slots: [{ id: 3, gpa: 0, pages: 0x80000, hva }] }] })
      withDump(built, (dump) => {
        const { state, hpa, reason } = qemuVtop(dump.task(vmmPid), 0x2000)
        assert.deepEqual([state, hpa], ['unmapped', null])
        assert.match(reason, /memslot 3 leads to hva 0x\w+, which is no user address.*damaged/)
      })
    })
  }
})

test('a page table that points at itself is named, and gives no page', () => {
  const built = smallHost()
  const { tables } = built.task(vmmPid)
  tables.set(0x7f0000000000n, 4, BigInt(tables.root) | TABLE)
  withDump(built, (dump) => {
    const { state, hpa, reason } = qemuVtop(dump.task(vmmPid), 0)
    assert.deepEqual([state, hpa], ['unmapped', null])
    const root = tables.root.toString(16)
    assert.equal(reason, `the PUD table at 0x${root} is its own parent: the page table is damaged`)
  })
})

test('the zero page is told from memory of the guest', () => {
  const built = smallHost()
  const zero = built.kernel.hpa(built.kernel.symbol('empty_zero_page'))
  built.task(vmmPid).tables.set(0x7f0000000000n, 1, page(zero))
  built.frame({ hpa: zero, members: { mapping: 0n } })
  withDump(built, (dump) => {
    const answer = qemuVtop(dump.task(vmmPid), 0x10)
    assert.deepEqual([answer.state, answer.hpa, answer.page?.use], ['mapped', zero + 0x10, 'zero'])
    assert.match(String(answer), /PAGE: \w+ {2}\(ZERO PAGE\)/)
  })
})
