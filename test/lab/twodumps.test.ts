// SPDX-License-Identifier: GPL-2.0-or-later
// Two dumps of one host with what it recorded at both: what became of every page in between.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  compare,
  type ChangedPage,
  type Comparison,
  type HostDump,
  openDump,
} from '../../core/index.ts'
import { checkPagemaps } from '../recorded.ts'
import { pagemapAt, type TrueMemslot, truthAt, type TrueVm } from '../truth.ts'
import { hasTwo, isMade, labHosts, madeHost, quickHosts } from './place.ts'

type State = ChangedPage['states'][0]

/** What a pagemap says of a page: its state, and its frame, of a poisoned one too. */
interface Recorded {
  readonly state: State
  readonly pfn: number | null
}

for (const key of labHosts.filter(hasTwo)) {
  if (!quickHosts.includes(key) && !isMade(key)) continue
  const folder = madeHost(key)
  const skip = isMade(key) ? false : `no dumps of ${key} at ${folder}: npm run test:lab makes them`
  describe(`the two dumps of the lab's host ${key}`, { skip }, () => {
    let first: HostDump
    let second: HostDump
    let recorded: readonly {
      readonly name: string
      readonly pages: readonly [Map<number, Recorded>, Map<number, Recorded>]
    }[]
    const compared = new Map<string, Comparison>()

    before(() => {
      first = openDump(join(folder, 'first', 'vmcore'))
      second = openDump(join(folder, 'vmcore'))
      const truth = truthAt(join(folder, 'truth.json'))
      const later = pagemapAt(join(folder, 'pagemap.bin'))
      // What hardware poison has for a type of swap does not change while a host runs.
      const stateOf = (type: number): State =>
        type < truth.swaps.length
          ? 'swapped'
          : truth.special_swap_types[type] === 'hwpoison'
            ? 'poisoned'
            : 'marker'
      recorded = truth.vms.map((vm) => {
        const { name } = vm
        const earlier = firstRecord(folder, name)
        compared.set(
          name,
          compare(first.vm(name), second.vm(name), { mostChanged: Number.MAX_SAFE_INTEGER }),
        )
        return {
          name,
          pages: [pagesOf(earlier.vm, earlier.pagemap, stateOf), pagesOf(vm, later, stateOf)],
        }
      })
    })
    after(() => {
      first.close()
      second.close()
    })

    it('the first agrees with every entry of every pagemap that was recorded with it', () => {
      for (const { name } of recorded) {
        const { vm, pagemap } = firstRecord(folder, name)
        assert.ok(checkPagemaps(first, { vms: [vm] }, pagemap) > 8000)
      }
    })

    it('compare finds every page that became another, with both frames, and no other', () => {
      for (const { name, pages } of recorded) {
        const { changed, counts, isCut, pages: all } = compared.get(name) ?? assert.fail()
        const wanted = changesOf(...pages)
        // Page by page: a list of thousands says nothing.
        assert.equal(changed.length, wanted.length)
        for (const [i, page] of wanted.entries()) assert.deepEqual(changed[i], page)
        assert.equal(isCut, false)
        assert.equal(all, new Set([...pages[0].keys(), ...pages[1].keys()]).size)
        const sums: Record<string, number> = { same: all - wanted.length }
        for (const { change } of wanted) sums[change] = (sums[change] ?? 0) + 1
        const occurring = Object.entries(counts).filter(([, count]) => count > 0)
        assert.deepEqual(Object.fromEntries(occurring), sums)
      }
    })

    it('compare counts the states of both sides', () => {
      for (const { name, pages } of recorded) {
        const { states } = compared.get(name) ?? assert.fail()
        for (const side of [0, 1] as const) {
          const wanted: Record<string, number> = {}
          for (const page of pages[side].values()) {
            wanted[page.state] = (wanted[page.state] ?? 0) + 1
          }
          const given: Record<string, number> = {}
          for (const { state, pages: counts } of states) {
            if (counts[side] > 0) given[state] = (given[state] ?? 0) + counts[side]
          }
          assert.deepEqual(given, wanted)
        }
      }
    })

    it('compare counts huge pages of the second as the record of the host does', () => {
      const sizes = { 'thp-2M': 2 ** 21, 'hugetlb-2M': 2 ** 21, 'hugetlb-1G': 2 ** 30 }
      let seen = 0
      for (const { name, pages_by_kind } of truthAt(join(folder, 'truth.json')).vms) {
        const huge = new Map<number, number>()
        for (const [kind, size] of Object.entries(sizes)) {
          const pages = pages_by_kind[kind] ?? 0
          if (pages > 0) huge.set(size, (huge.get(size) ?? 0) + pages)
          seen += pages
        }
        const { states } = compared.get(name) ?? assert.fail()
        const given = states.filter(({ pageSize, pages }) => (pageSize ?? 0) > 4096 && pages[1] > 0)
        assert.deepEqual(new Map(given.map(({ pageSize, pages }) => [pageSize, pages[1]])), huge)
      }
      assert.ok(seen >= 1024, `${seen}`)
    })

    it('have pages that moved, appeared, went, and were swapped out and in', () => {
      // The guest and the host did so on purpose: test/lab/scenarios/two-dumps.sh.
      const counts = [...compared.values()].map((one) => one.counts)
      const least = { moved: 32, appeared: 48, went: 1, 'swapped out': 512, 'swapped in': 64 }
      for (const [change, wanted] of Object.entries(least)) {
        const sum = counts.reduce((all, one) => all + one[change as keyof typeof least], 0)
        assert.ok(sum >= wanted, `${change}: ${sum}`)
      }
    })
  })
}

/** The record of a guest at the first dump: its pagemap by memslot, as the lab's scripts write it. */
function firstRecord(
  folder: string,
  name: string,
): { vm: Pick<TrueVm, 'pid' | 'memslots'>; pagemap: Uint32Array } {
  const at = join(folder, 'first', name)
  const memslots: TrueMemslot[] = readFileSync(join(at, 'pagemap.idx'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [space, slot, flags, gpa, size, hva, offset] = line.split(' ')
      return {
        ...{ address_space: Number(space), slot: Number(slot), flags: Number(flags) },
        ...{ readonly: (Number(flags) & 2) !== 0, gpa: gpa ?? '', size: size ?? '' },
        ...{ hva: hva ?? '', pages: Number(size) / 4096, pagemap_bin_offset: Number(offset) },
      }
    })
    // A slot of the second address space whose pages are those of one in the first has no record of its own.
    .filter(({ pagemap_bin_offset }) => pagemap_bin_offset >= 0)
  const pid = Number(readFileSync(join(at, 'pid'), 'utf8'))
  return { vm: { pid, memslots }, pagemap: pagemapAt(join(at, 'pagemap.bin')) }
}

/** What is recorded of each page of address space 0, by gpa. */
function pagesOf(
  { memslots }: Pick<TrueVm, 'memslots'>,
  pagemap: Uint32Array,
  stateOf: (type: number) => State,
): Map<number, Recorded> {
  const pages = new Map<number, Recorded>()
  for (const slot of memslots.filter(({ address_space }) => address_space === 0)) {
    for (let page = 0; page < slot.pages; page++) {
      const at = 2 * (slot.pagemap_bin_offset / 8 + page)
      const [low = 0, high = 0] = pagemap.subarray(at, at + 2)
      // Documentation/admin-guide/mm/pagemap.rst: bit 63 present, then bits 0 to 54 are the frame; bit 62 swapped, then
      // bits 0 to 4 are the type, and 5 to 54 the offset, which for poison is the frame.
      const offset = (high & 0x7fffff) * 2 ** 27 + (low >>> 5)
      let recorded: Recorded = { state: 'unmapped', pfn: null }
      if (high >>> 31 === 1) {
        recorded = { state: 'mapped', pfn: (high & 0x7fffff) * 2 ** 32 + low }
      } else if (((high >>> 30) & 1) === 1) {
        const state = stateOf(low & 0x1f)
        recorded = { state, pfn: state === 'poisoned' ? offset : null }
      }
      pages.set(Number(slot.gpa) + page * 4096, recorded)
    }
  }
  return pages
}

/** The pages of which the two records differ, in ascending order. */
function changesOf(
  earlier: ReadonlyMap<number, Recorded>,
  later: ReadonlyMap<number, Recorded>,
): ChangedPage[] {
  const none: Recorded = { state: 'no-slot', pfn: null }
  return [...new Set([...earlier.keys(), ...later.keys()])]
    .sort((a, b) => a - b)
    .flatMap((gpa): ChangedPage[] => {
      const [a, b] = [earlier.get(gpa) ?? none, later.get(gpa) ?? none]
      const change = changeOf(a, b)
      if (change === 'same') return []
      return [{ gpa, change, hpa: [hpaOf(a), hpaOf(b)], states: [a.state, b.state] }]
    })
}

function changeOf(a: Recorded, b: Recorded): ChangedPage['change'] {
  if (a.state === b.state) return a.state !== 'mapped' || a.pfn === b.pfn ? 'same' : 'moved'
  if (b.state === 'mapped') return a.state === 'swapped' ? 'swapped in' : 'appeared'
  if (a.state === 'mapped') return b.state === 'swapped' ? 'swapped out' : 'went'
  return 'other'
}

function hpaOf({ pfn }: Recorded): bigint | null {
  return pfn === null ? null : BigInt(pfn) * 4096n
}
