// SPDX-License-Identifier: GPL-2.0-or-later
// Kinds and nodes of frames in bulk, against kpageflags, and against the `struct page` of each frame read by itself.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { frameKinds, NO_NODE } from '../../../core/linux/frametable.ts'
import { type HostDump, openDump } from '../../../core/index.ts'
import { kernels, realDump } from '../../place.ts'
import { kpageOf, pagemapOf } from '../../truth.ts'

// include/uapi/linux/kernel-page-flags.h.
const KPF_ANON = 1n << 12n
const KPF_HUGE = 1n << 17n
const KPF_THP = 1n << 22n
const KPF_ZERO_PAGE = 1n << 24n

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`frames in bulk in the dump of ${kernel}`, { skip }, () => {
    let dump: HostDump
    before(() => {
      dump = openDump(path)
    })
    after(() => {
      dump.close()
    })

    it('have the kinds that kpageflags gives, and the node of their struct page', () => {
      const pagemap = pagemapOf(kernel)
      const kpage = kpageOf(kernel)
      const [vm] = dump.vms
      assert.ok(vm)
      const { frames, pages } = vm.linux
      const seen = new Set<number>()
      for (let entry = 0; entry < pagemap.length / 2; entry++) {
        const high = pagemap[2 * entry + 1] ?? 0
        if (high >>> 31 === 0) continue
        const pfn = (high & 0x7fffff) * 2 ** 32 + (pagemap[2 * entry] ?? 0)
        if (seen.has(pfn)) continue
        seen.add(pfn)
        const kind = frameKinds[frames.kind(pfn)] ?? ''
        const kpf = kpage[2 * entry] ?? 0n
        const where = `pfn 0x${pfn.toString(16)} ${kind} kpageflags 0x${kpf.toString(16)}`
        assert.equal(kind === 'zero', (kpf & KPF_ZERO_PAGE) !== 0n, where)
        if (seen.size % 32 === 0) assert.equal(frames.node(pfn), pages.at(pfn).node, where)
        if (kind === 'zero') continue
        assert.equal(kind === 'hugetlb', (kpf & KPF_HUGE) !== 0n, where)
        assert.equal(['anon', 'thp', 'ksm'].includes(kind), (kpf & KPF_ANON) !== 0n, where)
        if (kind === 'thp') assert.ok((kpf & KPF_THP) !== 0n, where)
        if (kind === 'anon') assert.ok((kpf & KPF_THP) === 0n, where)
      }
      assert.ok(seen.size > 10000, `${seen.size} frames`)
    })

    it('are what each is alone, whatever uses them', () => {
      const [vm] = dump.vms
      assert.ok(vm)
      const { frames, pages } = vm.linux
      let there = 0
      for (let pfn = 0; pfn < dump.memory.source.endPfn; pfn += 61) {
        const page = pages.find(pfn)
        const kind = frameKinds[frames.kind(pfn)] ?? ''
        if (page === undefined) {
          assert.equal(kind, 'unknown')
          assert.equal(frames.node(pfn), NO_NODE)
          continue
        }
        there++
        const wanted = page.use === 'anon' && page.order > 0 ? 'thp' : page.use
        const known: readonly string[] = frameKinds
        assert.equal(kind, known.includes(wanted) ? wanted : 'other', `pfn ${pfn} ${page.use}`)
        assert.equal(frames.node(pfn), page.node)
      }
      assert.ok(there > 4000, `${there} frames`)
    })

    it('are a column of nodes', () => {
      const { frames, pages } = dump.vms[0]?.linux ?? assert.fail()
      const hpas = BigUint64Array.of(0x100000n, 0x2345678n, 2n ** 51n, 2n ** 64n - 1n)
      const node = (pfn: number) => pages.find(pfn)?.node ?? NO_NODE
      assert.deepEqual([...frames.nodes(hpas)], [node(0x100), node(0x2345), NO_NODE, NO_NODE])
    })
  })
}
