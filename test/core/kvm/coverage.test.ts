// SPDX-License-Identifier: GPL-2.0-or-later
// What backs the guests of the real dumps, against the pagemap, smaps and numa_maps that were recorded on the host.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type HostDump, openDump, type Share, UsageError, type Vm } from '../../../core/index.ts'
import { PageCounter, Problems } from '../../../core/kvm/counting.ts'
import { kernels, realDump } from '../../place.ts'
import { pagemapOf, type TrueMemslot, truthOf } from '../../truth.ts'

const bytesOf = (shares: readonly Share[], is: (share: Share) => boolean = () => true) =>
  shares.filter(is).reduce((sum, { bytes }) => sum + bytes, 0)

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`coverage of the guests in the dump of ${kernel}`, { skip }, () => {
    const truth = skip === false ? truthOf(kernel).vms : []
    let dump: HostDump
    let pagemap: Uint32Array
    before(() => {
      dump = openDump(path)
      pagemap = pagemapOf(kernel)
    })
    after(() => {
      dump.close()
    })
    const slotsOf = (memslots: readonly TrueMemslot[]) =>
      memslots.filter(({ address_space }) => address_space === 0)

    it('counts the pages of each memslot, and their runs, as the pagemap has them', () => {
      for (const { pid, memslots } of truth) {
        const coverage = dump.vm(pid).coverage()
        assert.deepEqual(coverage.remarks, [])
        const counted = new Map(coverage.slots.map((one) => [one.slot.id, one]))
        for (const slot of slotsOf(memslots)) {
          const found = counted.get(slot.slot)
          assert.ok(found)
          const shares = found.shares
          const pages = (...states: string[]) =>
            bytesOf(shares, ({ state }) => states.includes(state)) / 4096
          const wanted = countPagemap(pagemap, slot)
          const where = `pid ${pid} slot ${slot.slot}`
          assert.equal(pages('mapped'), wanted.present, where)
          assert.equal(pages('swapped', 'poisoned', 'marker'), wanted.swapped, where)
          assert.equal(pages('unmapped'), wanted.nothing, where)
          const runs = found.extents.flatMap(({ from, count }) =>
            count === 0 ? [] : [[from / 4096, count]],
          )
          assert.deepEqual(runs, wanted.runs, where)
        }
        const sums = coverage.slots.flatMap((slot) => slot.shares)
        assert.equal(bytesOf(coverage.shares), bytesOf(sums))
        for (const { state, bytes } of coverage.groupBy('state')) {
          assert.equal(
            bytesOf(sums, (share) => share.state === state),
            bytes,
          )
        }
      }
    })

    it('agrees with smaps and numa_maps of each VMA behind the guests', () => {
      let compared = 0
      for (const { pid, ram_vmas } of truth) {
        const vm = dump.vm(pid)
        for (const { start, end, perms, smaps, numa_maps } of ram_vmas) {
          const shares = sharesOf(vm, BigInt(start), BigInt(end))
          const kilobytes = (is: (share: Share) => boolean) => bytesOf(shares, is) / 1024
          const mapped = ({ state, kind }: Share) => state === 'mapped' && kind !== 'zero'
          const isHuge = ({ kind }: Share) => kind === 'hugetlb'
          const poisoned = kilobytes(({ state }) => state === 'poisoned')
          // smaps counts poisoned frames since they are pfn swap entries (6.2); it never counts hugetlb here.
          const also = kernel === '5.10' ? 0 : poisoned
          const isAnon = ({ kind }: Share) => kind === 'anon' || kind === 'thp' || kind === 'ksm'
          const found: Record<string, number> = {
            Rss: kilobytes((share) => mapped(share) && !isHuge(share)) + also,
            Anonymous: kilobytes((share) => isAnon(share)) + also,
            AnonHugePages: kilobytes(({ kind, pageSize }) => kind === 'thp' && pageSize !== 4096),
            Private_Hugetlb: kilobytes(isHuge),
          }
          // New in 6.8.
          if ('KSM' in smaps) found['KSM'] = kilobytes(({ kind }) => kind === 'ksm')
          // What is swapped of shared memory is in the page cache, not in page tables.
          if (!perms.endsWith('s')) found['Swap'] = kilobytes(({ state }) => state === 'swapped')
          const where = `pid ${pid} VMA ${start}`
          for (const [line, value] of Object.entries(found)) {
            assert.equal(value, smaps[line] ?? 0, `${line} of ${where}`)
            compared++
          }
          const unit = smaps['KernelPageSize'] ?? 4
          if (unit > 4)
            assert.ok(shares.every((one) => !mapped(one) || one.pageSize === unit * 1024))
          // numa_maps leaves out pages of zeros, too.
          const nodes = [...numa_maps.matchAll(/\bN(\d+)=(\d+)/g)].map(([, node, pages]) => {
            compared++
            return [Number(node), Number(pages)]
          })
          const counted = [0, 1].map((node) => [
            node,
            kilobytes((share) => mapped(share) && share.node === node) / unit,
          ])
          assert.deepEqual(
            counted.filter(([, pages]) => pages !== 0),
            nodes,
            where,
          )
          const anon = /\banon=(\d+)/.exec(numa_maps)
          if (anon !== null) assert.equal(kilobytes(isAnon) / unit, Number(anon[1]), where)
        }
      }
      assert.ok(compared > 20, `${compared} lines`)
    })

    it('tells which content is in the dump', () => {
      const [first] = truth
      assert.ok(first)
      let here = 0
      for (const slot of slotsOf(first.memslots)) {
        for (const pfn of framesOf(pagemap, slot)) {
          if (dump.memory.tryPage(pfn) instanceof Uint8Array) here++
        }
      }
      const { shares } = dump.vm(first.pid).coverage()
      assert.equal(bytesOf(shares, ({ inDump }) => inDump === true) / 4096, here)
    })

    it('counts a range of addresses', () => {
      const [first] = truth
      const slot = slotsOf(first?.memslots ?? []).find(({ pages }) => pages > 4096)
      assert.ok(first && slot)
      const vm = dump.vm(first.pid)
      const gpa = parseInt(slot.gpa)
      const part = vm.coverage({ from: gpa + 0x3000, to: `0x${(gpa + 0x804000).toString(16)}` })
      assert.equal(part.bytes, 0x801000)
      assert.equal(part.slots.length, 1)
      assert.equal(part.slots[0]?.gpa, gpa + 0x3000)
      const offset = slot.pagemap_bin_offset + 3 * 8
      const wanted = countPagemap(pagemap, { pagemap_bin_offset: offset, pages: 0x801 })
      const present = bytesOf(part.shares, ({ state }) => state === 'mapped') / 4096
      assert.equal(present, wanted.present)
      const whole = vm.coverage({ from: 0, to: 2n ** 52n })
      assert.deepEqual(whole.shares, vm.coverage().shares)
    })

    it('reads page tables alone when pages are not asked for', () => {
      const vm = dump.vm(truth[0]?.pid ?? 0)
      const quick = vm.coverage({ pages: false })
      assert.deepEqual(
        quick.groupBy('state', 'pageSize'),
        vm.coverage().groupBy('state', 'pageSize'),
      )
      assert.ok(quick.shares.every(({ kind, node }) => kind === null && node === null))
      assert.equal(quick.hasPages, false)
    })

    it('refuses what is no range of addresses', () => {
      const [vm] = dump.vms
      assert.ok(vm)
      assert.throws(() => vm.coverage({ from: 'x' }), UsageError)
      assert.throws(() => vm.coverage({ from: 0x2000, to: 0x2000 }), /`to` above `from`/)
      assert.throws(() => vm.coverage({ to: 2n ** 60n }), /takes guest physical addresses/)
      assert.throws(() => vm.coverage().groupBy(), /groupBy/)
    })
  })
}

/** A VMA, counted as a memslot is. */
function sharesOf(vm: Vm, start: bigint, end: bigint): readonly Share[] {
  const problems = new Problems()
  const { frames } = vm.linux
  const counter = new PageCounter(vm.linux, vm.userSpace, problems, () => undefined, { frames })
  const npages = Number((end - start) >> 12n)
  counter.count({ gpa: 0, vpn: Number(start >> 12n), npages, scanPrivate: undefined })
  assert.deepEqual(problems.remarks(), [])
  return counter.tally.shares()
}

/** Present frames in the order of pages; -1 for a page that is not present. */
function* framesOf(
  pagemap: Uint32Array,
  { pagemap_bin_offset, pages }: Pick<TrueMemslot, 'pagemap_bin_offset' | 'pages'>,
): Generator<number> {
  for (let page = 0; page < pages; page++) {
    const at = pagemap_bin_offset / 4 + 2 * page
    const high = pagemap[at + 1] ?? 0
    yield high >>> 31 === 1 ? (high & 0x7fffff) * 2 ** 32 + (pagemap[at] ?? 0) : -1
  }
}

function countPagemap(
  pagemap: Uint32Array,
  slot: Pick<TrueMemslot, 'pagemap_bin_offset' | 'pages'>,
): { present: number; swapped: number; nothing: number; runs: [number, number][] } {
  const counts = { present: 0, swapped: 0, nothing: 0 }
  const runs = new Map<number, number>()
  let run = 0
  let before = -2
  const end = () => {
    if (run === 0) return
    const size = 2 ** Math.min(19, Math.floor(Math.log2(run)))
    runs.set(size, (runs.get(size) ?? 0) + 1)
    run = 0
  }
  let page = 0
  for (const frame of framesOf(pagemap, slot)) {
    const high = pagemap[slot.pagemap_bin_offset / 4 + 2 * page++ + 1] ?? 0
    if (frame < 0 || frame !== before + 1) end()
    if (frame >= 0) {
      counts.present++
      run++
      // Bit 62: swapped, or a special entry that looks so.
    } else if (((high >>> 30) & 1) === 1) counts.swapped++
    else counts.nothing++
    before = frame < 0 ? -2 : frame
  }
  end()
  return { ...counts, runs: [...runs].sort(([a], [b]) => a - b) }
}
