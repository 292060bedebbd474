// SPDX-License-Identifier: GPL-2.0-or-later
// Layouts that no real dump has: whatever lies next to whatever, bulk says what a single translation says.

import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import fc from 'fast-check'
import { gpaToHva, hvaToHpa, NO_ADDRESS, qemuVtop, type Vm } from '../../../core/index.ts'
import { type EntryDescription, type SlotDescription } from '../../build/vmm.ts'
import { page, protNone, swapEntry, TABLE } from '../../build/pagetable.ts'
import { smallHost, vmmPid, withDump } from '../../build/smallhost.ts'
import { Mapping } from '../../../core/bulk/mapping.ts'
import { rowsOf } from '../../../core/bulk/columns.ts'
import { bulk, checkRow, checkSame, ways } from './compare.ts'

const INVALID = 1 << 16
const hva = 0x7f0000000000n
const MIB2 = 0x200000n

interface Layout {
  readonly slots: readonly SlotDescription[]
  readonly entries: readonly EntryDescription[]
}

/** All pages of all slots and the pages around, each in every way, against single translations. */
function check({ slots, entries }: Layout, more: readonly bigint[] = []): void {
  withDump(hostOf({ slots, entries }), (dump) => {
    const [vm] = dump.task(vmmPid).vms
    assert.ok(vm)
    const pages = slots.flatMap(({ gpa, pages }) =>
      Array.from({ length: pages + 2 }, (_, i) => BigInt(gpa) + BigInt(i - 1) * 4096n),
    )
    const gpas = [...pages.filter((gpa) => gpa >= 0n), ...more].map((gpa) => gpa + 0x345n)
    checkAll(vm, BigUint64Array.from(gpas))
  })
}

function checkAll(vm: Vm, gpas: BigUint64Array): void {
  const table = bulk(vm, gpas)
  for (let i = 0; i < gpas.length; i++) checkRow(vm, table, i)
  for (const way of ways) {
    checkSame(bulk(vm, gpas, way), table)
    for (const [name, order] of orders(gpas.length)) {
      const some = rowsOf(table, order)
      checkSame(bulk(vm, some.gpa, way), some, `${name}, ${JSON.stringify(way)}`)
    }
  }
  const hvas = gpaToHva(vm, gpas)
  assert.deepEqual(hvas, table.hva)
  const found = hvaToHpa(vm, hvas)
  for (const [i, one] of hvas.entries()) {
    const wanted = one === NO_ADDRESS ? null : hvaToHpa(vm, one)
    assert.equal(
      found[i],
      wanted === null ? NO_ADDRESS : BigInt(wanted),
      `hva 0x${one.toString(16)}`,
    )
  }
}

/** Rows in other orders, and numbers of them that are no multiple of anything that the kernels take at once. */
function orders(rows: number): [name: string, order: Uint32Array][] {
  const pick = (count: number, row: (i: number) => number) =>
    Uint32Array.from({ length: count }, (_, i) => row(i) % rows)
  return [
    ['backwards', pick(rows, (i) => rows - 1 - i)],
    ['one here, one there', pick(rows, (i) => (i % 2 === 0 ? i : rows - 1 - i))],
    ['three times each', pick(3 * rows, (i) => Math.floor(i / 3))],
    ['scattered', pick(rows, (i) => Math.imul(i, 0x9e3779b1) >>> 0)],
    ...[1, 2, 7, 9, 15].map((count): [string, Uint32Array] => [
      `the last ${count}`,
      pick(Math.min(count, rows), (i) => rows - 1 - i),
    ]),
  ]
}

function hostOf({ slots, entries }: Layout) {
  const swaps = [{ path: '/dev/vda2', pages: 2000, cached: [] }]
  const top = { start: hva, end: hva + 0x100000000n }
  return smallHost({ swapFiles: 22, swaps }, { vms: [{ slots }], vmas: [top], entries })
}

/** 4 MiB from gpa 0 on; what is not said is not mapped. */
const plain: SlotDescription = { id: 5, gpa: 0, pages: 0x400, hva }
const small = (at: number, entry: bigint): EntryDescription => [hva + BigInt(at) * 4096n, 1, entry]
const run = (from: number, count: number, hpa: number): EntryDescription[] =>
  Array.from({ length: count }, (_, i) => small(from + i, page(hpa + i * 4096)))

const layouts: readonly (readonly [name: string, layout: Layout])[] = [
  ['nothing is mapped', { slots: [plain], entries: [] }],
  [
    'small pages follow each other over a region',
    { slots: [plain], entries: run(0, 512, 0x10000000) },
  ],
  [
    'large pages',
    {
      slots: [plain],
      entries: [
        [hva, 2, page(0x10200000, 2)],
        [hva + MIB2, 2, protNone(0x40000000, 2)],
      ],
    },
  ],
  [
    'a page of 1 GiB',
    { slots: [{ ...plain, pages: 0x500 }], entries: [[hva, 3, page(0x80000000, 3)]] },
  ],
  [
    'every kind of entry beside mapped pages',
    {
      slots: [plain],
      entries: [
        ...run(0, 100, 0x10000000),
        small(100, protNone(0x20000000)),
        small(101, swapEntry(0, 5)),
        small(102, swapEntry(9, 5)),
        small(103, swapEntry(22, 0x10012)),
        small(104, swapEntry(23, 0x10013)),
        small(105, swapEntry(26, 0x3000)),
        small(106, swapEntry(28, 0x10012)),
        small(107, swapEntry(31, 1)),
        small(108, swapEntry(31, 2)),
        small(109, swapEntry(31, 4)),
      ],
    },
  ],
  [
    'swapped pages alone',
    { slots: [plain], entries: [0, 1, 2, 700].map((at) => small(at, swapEntry(0, at))) },
  ],
  [
    'large pages that are swapped, poisoned, moved',
    {
      slots: [plain],
      entries: [
        [hva, 2, swapEntry(0, 512)],
        [hva + MIB2, 2, swapEntry(22, 0x10200)],
      ],
    },
  ],
  ['a large page that is moved', { slots: [plain], entries: [[hva, 2, swapEntry(24, 0x10200)]] }],
  [
    'frames above 15 and 16 TiB',
    {
      slots: [plain],
      entries: [
        small(0, page(0xf0000001000)),
        small(1, page(0x10000000000000 - 4096)),
        small(2, page(0xf0000000 * 4096 - 4096)),
        [hva + MIB2, 2, page(0x100000000000, 2)],
      ],
    },
  ],
  [
    'a large page that ends at 16 TiB',
    { slots: [plain], entries: [[hva, 2, page(0xfffffe00000, 2)]] },
  ],
  [
    'several slots in a region, with holes',
    {
      slots: [
        { id: 0, gpa: 0, pages: 0xa0, hva },
        { id: 1, gpa: 0xa0000, pages: 1, hva: hva + 0x10000000n },
        { id: 2, gpa: 0xc0000, pages: 0x20, hva: hva + 0x20000000n },
        { id: 3, gpa: 0x100000, pages: 0x300, hva: hva + 0x100000n },
      ],
      entries: [
        ...run(0, 0xa0, 0x10000000),
        [hva + 0x10000000n, 1, page(0x30000000)],
        [hva + MIB2, 2, page(0x10200000, 2)],
      ],
    },
  ],
  [
    'hva and gpa that differ modulo 2 MiB, over large and small pages',
    {
      slots: [{ id: 7, gpa: 0x40001000, pages: 0x700, hva: hva + 0x7000n }],
      entries: [
        [hva, 2, page(0x10200000, 2)],
        [hva + MIB2, 2, page(0x10600000, 2)],
        ...run(0x400, 0x20, 0x30000000),
      ],
    },
  ],
  [
    'a slot that is deleted',
    {
      slots: [plain, { id: 6, gpa: 0x400000, pages: 4, hva: hva + 0x400000n, flags: INVALID }],
      entries: run(0, 0x404, 0x10000000),
    },
  ],
  [
    'a slot at 56 TB',
    {
      slots: [plain, { id: 6, gpa: 0x380000000000, pages: 3, hva: hva + 0x400000n }],
      entries: run(0x400, 2, 0x10000000),
    },
  ],
  [
    'a slot whose hva is no page',
    { slots: [{ ...plain, hva: hva + 0x800n, pages: 3 }], entries: run(0, 5, 0x10000000) },
  ],
  [
    "a slot in the kernel's half",
    { slots: [{ ...plain, hva: 0xffff9a0000000000n, pages: 5 }], entries: [] },
  ],
  [
    'a slot that ends behind the user half',
    {
      slots: [{ ...plain, hva: 0x7ffffffff000n, pages: 5 }],
      entries: [[0x7ffffffff000n, 1, page(0x10000000)]],
    },
  ],
  [
    'a slot number above those that KVM gives',
    { slots: [{ ...plain, id: 32767, pages: 3 }], entries: [] },
  ],
]

describe('bulk is as single where there', () => {
  for (const [name, layout] of layouts) {
    it(`is: ${name}`, () => {
      check(layout, [0x41000000n, 0x380000000000n, 0xffffffffff000n])
    })
  }
})

test('bulk is as single under a table that is its own parent', () => {
  const built = smallHost()
  const { tables } = built.task(vmmPid)
  tables.set(hva, 4, BigInt(tables.root) | TABLE)
  withDump(built, (dump) => {
    const [vm] = dump.task(vmmPid).vms
    assert.ok(vm)
    checkAll(vm, BigUint64Array.from([0n, 0x5000n, 0x200000n]))
    assert.equal(qemuVtop(vm, 0).state, 'unmapped')
  })
})

test('more slots than KVM can have are refused, not mixed up', () => {
  const slots = Array.from({ length: 0x8000 }, (_, id) => ({ gfn: id, npages: 1, delta: 0n, id }))
  const reader = { read: () => undefined, forget: () => undefined }
  assert.throws(() => new Mapping(slots, 0, reader), /32768 memslots in one address space/)
  assert.ok(new Mapping(slots.slice(1), 0, reader))
})

test('bulk is as single over random layouts', () => {
  const entry = fc.oneof(
    fc.integer({ min: 1, max: 0xffffff }).map((frame) => page(frame * 4096)),
    fc.integer({ min: 1, max: 0xffffff }).map((frame) => protNone(frame * 4096)),
    fc
      .tuple(fc.integer({ min: 0, max: 31 }), fc.integer({ min: 1, max: 1999 }))
      .map(([type, offset]) => swapEntry(type, offset)),
  )
  const layout = fc.record({
    slots: fc.array(
      fc.tuple(
        fc.integer({ min: 0, max: 300 }),
        fc.integer({ min: 1, max: 700 }),
        fc.integer({ min: 0, max: 2000 }),
      ),
      { minLength: 1, maxLength: 6 },
    ),
    small: fc.array(fc.tuple(fc.integer({ min: 0, max: 1023 }), entry), { maxLength: 40 }),
    large: fc.array(
      fc.tuple(fc.integer({ min: 2, max: 6 }), fc.integer({ min: 1, max: 500 }), fc.boolean()),
      { maxLength: 4 },
    ),
  })
  fc.assert(
    fc.property(layout, ({ slots, small: pages, large }) => {
      let gfn = 0
      const placed = slots.map(([gap, count, at], id) => {
        const slot = { id, gpa: (gfn + gap) * 4096, pages: count, hva: hva + BigInt(at) * 4096n }
        gfn += gap + count
        return slot
      })
      const entries: EntryDescription[] = pages.map(([at, one]) => small(at, one))
      for (const [at, frame, none] of large) {
        const one = none ? protNone(frame * 0x200000, 2) : page(frame * 0x200000, 2)
        entries.push([hva + BigInt(at) * MIB2, 2, one])
      }
      check({ slots: placed, entries })
    }),
    { numRuns: 25 },
  )
})
