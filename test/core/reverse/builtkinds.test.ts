// SPDX-License-Identifier: GPL-2.0-or-later
// Kinds of frames out of words, on hosts of kernels that no real dump here is of, and on damaged ones.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ownerKinds } from '../../../core/index.ts'
import { DumpError } from '../../../core/errors.ts'
import { KernelPages } from '../../../core/reverse/kernelpage.ts'
import { isRam, kernelKind, kindCode } from '../../../core/reverse/kinds.ts'
import { QuickKinds } from '../../../core/reverse/quickkinds.ts'
import { type BuiltHost, type HostDescription } from '../../build/linux.ts'
import { guestHpa, smallHost, withDump } from '../../build/smallhost.ts'

// enum pageflags of the built kernels.
const RESERVED = 1 << 5
const SWAPBACKED = 1 << 6
const SWAPCACHE = 1 << 7
const TAIL = 1 << 9

const head = 0x8000000
const reserved = 0x9000000
const other = 0xa000000

const eras: readonly { readonly name: string; readonly forms: Partial<HostDescription> }[] = [
  { name: '2.6.32', forms: { era: '2.6.32', vmas: 'rbtree', memslots: 'in kvm' } },
  { name: '3.10', forms: { era: '3.10', vmas: 'rbtree', memslots: 'by size' } },
  { name: 'today', forms: {} },
]

/** What is done to a host, and what its frames from `head` on then are. */
const changes: readonly {
  readonly name: string
  readonly change: (built: BuiltHost, isToday: boolean) => unknown
  readonly kinds: readonly string[]
}[] = [
  { name: 'a folio of anonymous memory', change: () => undefined, kinds: ['anon', 'anon', 'anon'] },
  {
    name: 'a huge page that waits in its pool',
    change: ({ kernel }, isToday) => {
      const first = kernel.structPage(head / 4096)
      const second = kernel.structPage(head / 4096 + 1)
      kernel.set('page', first, { mapping: 0n, ...(isToday ? { page_type: 0xf4000000 } : {}) })
      if (!isToday) kernel.set('page', second, { 'lru.next': kernel.symbol('free_huge_page') })
    },
    kinds: ['hugetlb', 'hugetlb', 'hugetlb'],
  },
  {
    name: 'a huge page by the flag of its second page that VMCOREINFO tells (6.6 to 6.8)',
    change: ({ kernel }) => {
      Object.assign(kernel, { vmcoreinfo: `${kernel.vmcoreinfo}NUMBER(PG_hugetlb)=10\n` })
      kernel.set('page', kernel.structPage(head / 4096), { mapping: 0n })
      const second = kernel.structPage(head / 4096 + 1)
      kernel.set('page', second, { flags: kernel.get('page', second, 'flags') | (1n << 10n) })
    },
    kinds: ['hugetlb', 'hugetlb', 'hugetlb'],
  },
  {
    name: 'a tail of the swap cache',
    change: ({ kernel }, isToday) => {
      const flags = SWAPBACKED | SWAPCACHE | (isToday ? 0 : TAIL)
      kernel.set('page', kernel.structPage(head / 4096 + 1), { flags })
    },
    kinds: ['anon', 'swap-cache', 'anon'],
  },
  {
    name: 'a tail whose head is no struct page',
    change: ({ kernel }, isToday) => {
      const nowhere = kernel.direct(0x123457)
      const link = isToday ? { compound_head: nowhere } : { first_page: nowhere }
      kernel.set('page', kernel.structPage(head / 4096 + 2), link)
    },
    kinds: ['anon', 'anon', 'unknown'],
  },
  {
    name: 'a page of a file without an address_space',
    change: ({ kernel }) => {
      const mapping = 0xdead000000000100n
      kernel.set('page', kernel.structPage(head / 4096), { mapping })
    },
    kinds: ['unknown', 'unknown', 'unknown'],
  },
]

for (const { name: era, forms } of eras) {
  describe(`kinds of frames out of words, of a kernel as ${era}`, () => {
    for (const { name, change, kinds } of changes) {
      it(`are what the long way tells: ${name}`, () => {
        const built = smallHost({
          ...forms,
          frames: [
            { hpa: guestHpa },
            { hpa: head, order: 3 },
            { hpa: reserved, members: { mapping: 0n, flags: RESERVED } },
            { hpa: other, members: { mapping: 0n } },
          ],
        })
        change(built, era === 'today')
        withDump(built, (dump) => {
          const { linux } = dump.vms[0] ?? assert.fail()
          const quick = new QuickKinds(linux)
          const back = { linux, kernel: new KernelPages(linux), endPfn: dump.memory.source.endPfn }
          const longWay = (pfn: number) => {
            try {
              return kernelKind(back, pfn, linux.pages.at(pfn))
            } catch (error) {
              assert.ok(error instanceof DumpError)
              return 'unknown'
            }
          }
          const seen = new Set<string>()
          for (const from of [head, reserved, other, guestHpa]) {
            for (let pfn = from / 4096; pfn < from / 4096 + 64; pfn++) {
              if (!isRam(back, pfn)) continue
              const kind = longWay(pfn)
              assert.equal(quick.code(pfn, true), kindCode(kind), `frame ${pfn}: ${kind}`)
              seen.add(kind)
            }
          }
          assert.ok(
            ['reserved', 'kernel'].every((kind) => seen.has(kind)),
            [...seen].join(' '),
          )
          const found = kinds.map((_, i) => ownerKinds[quick.code(head / 4096 + i, true) ?? -1])
          assert.deepEqual(found, kinds)
        })
      })
    }
  })
}
