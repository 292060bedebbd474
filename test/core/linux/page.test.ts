// SPDX-License-Identifier: GPL-2.0-or-later
// What `struct page` says of the frames behind the guests, against /proc/kpageflags and /proc/kpagecount.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type HostDump, openDump, type Page, qemuVtop } from '../../../core/index.ts'
import { kernels, realDump } from '../../place.ts'
import { kpageOf, pagemapOf, truthOf } from '../../truth.ts'

// include/uapi/linux/kernel-page-flags.h.
const KPF = {
  locked: 0,
  referenced: 2,
  uptodate: 3,
  dirty: 4,
  lru: 5,
  active: 6,
  writeback: 8,
  reclaim: 9,
  swapbacked: 14,
  unevictable: 18,
} as const
const KPF_ANON = 12
const KPF_HUGE = 17
const KPF_HWPOISON = 19
const KPF_KSM = 21
const KPF_THP = 22
const KPF_ZERO_PAGE = 24

const isSet = (flags: bigint, bit: number) => ((flags >> BigInt(bit)) & 1n) === 1n

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`struct page in the dump of ${kernel}`, { skip }, () => {
    let dump: HostDump
    before(() => {
      dump = openDump(path)
    })
    after(() => {
      dump.close()
    })

    it('agrees with kpageflags and kpagecount on every resident page of every guest', () => {
      const pagemap = pagemapOf(kernel)
      const kpage = kpageOf(kernel)
      const [vm] = dump.vms
      assert.ok(vm)
      const { pages } = vm.linux
      const seen = new Map<number, Page>()
      for (let entry = 0; entry < pagemap.length / 2; entry++) {
        const high = pagemap[2 * entry + 1] ?? 0
        if (high >>> 31 === 0) continue
        const pfn = (high & 0x7fffff) * 2 ** 32 + (pagemap[2 * entry] ?? 0)
        if (seen.has(pfn)) continue
        const page = pages.find(pfn)
        assert.ok(page, `pfn 0x${pfn.toString(16)}`)
        seen.set(pfn, page)
        check(page, kpage[2 * entry] ?? 0n, kpage[2 * entry + 1] ?? 0n, kernel)
      }
      assert.ok(seen.size > 10000, `${seen.size} frames`)
    })

    it('says what each recorded page is', () => {
      for (const { pid, translations } of truthOf(kernel).vms) {
        for (const { gpa, kind, state } of translations) {
          if (state !== 'present') continue
          const page = qemuVtop(dump.task(pid), gpa).page
          assert.ok(page)
          const where = `${gpa}: ${kind ?? ''}, ${page.use} of order ${page.order}`
          if (kind === 'zero-page') assert.equal(page.use, 'zero', where)
          else if (kind?.startsWith('hugetlb')) assert.equal(page.use, 'hugetlb', where)
          else if (kind === 'thp-2M') assert.ok(page.isLarge && page.order === 9, where)
          else if (kind === 'large-folio-part') assert.ok(page.isLarge, where)
          // The record takes pages for KSM's by their mappings, so a merged page that is mapped once counts as 4k.
          else assert.ok(['ksm', 'anon', 'file', 'shmem'].includes(page.use), where)
        }
      }
    })

    it('marks poisoned frames', () => {
      for (const { pid, translations } of truthOf(kernel).vms) {
        for (const { gpa } of translations.filter(({ state }) => state === 'hwpoison')) {
          assert.equal(qemuVtop(dump.task(pid), gpa).page?.isPoisoned, true)
        }
      }
    })
  })
}

function check(page: Page, kpf: bigint, kpagecount: bigint, kernel: string) {
  const where = `pfn 0x${page.pfn.toString(16)} (${page.use}, ${page.flags.join('|')}), kpageflags 0x${kpf.toString(16)}`
  if (isSet(kpf, KPF_ZERO_PAGE)) {
    assert.equal(page.use, 'zero', where)
    return
  }
  assert.equal(page.use === 'hugetlb', isSet(kpf, KPF_HUGE), where)
  assert.equal(page.isLarge, isSet(kpf, KPF_THP), where)
  assert.equal(page.use === 'anon' || page.use === 'ksm', isSet(kpf, KPF_ANON), where)
  assert.equal(page.isPoisoned, isSet(kpf, KPF_HWPOISON), where)
  // 6.12 sets this bit for every anonymous page (a bug of that kernel), so there it shows one way only.
  if (page.use === 'ksm') assert.ok(isSet(kpf, KPF_KSM), where)
  else if (kernel !== '6.12') assert.ok(!isSet(kpf, KPF_KSM), where)
  assert.equal(page.mapcount, Number(kpagecount), where)
  // A tail page has few flags of its own; kpageflags shows those of its head, but not for all, nor in each kernel.
  if (page.order > 0) return
  for (const [name, bit] of Object.entries(KPF)) {
    // The host went on for a moment after the record: aging flags may have changed.
    if (['referenced', 'active', 'locked'].includes(name)) continue
    const isOwn = page.flags.includes(name)
    assert.equal(isOwn, isSet(kpf, bit), `${name} of ${where} in ${kernel}`)
  }
}
