// SPDX-License-Identifier: GPL-2.0-or-later
// Two guests page by page against their pagemaps, and a guest against itself with entries changed.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openPages } from '../../../core/dump/open.ts'
import {
  compare,
  onProgress,
  openDump,
  qemuVtop,
  UnfinishedComparisonError,
  UsageError,
  type Vm,
} from '../../../core/index.ts'
import { AlteredPages } from '../../build/altered.ts'
import { hostParts } from '../../build/hostparts.ts'
import { page } from '../../build/pagetable.ts'
import {
  guestHpa,
  guestHva,
  guestSlot,
  smallHost,
  vmmPid,
  withDump,
} from '../../build/smallhost.ts'
import { kernels, realDump } from '../../place.ts'
import { pagemapOf, truthOf, type TrueVm } from '../../truth.ts'

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`compare in the dump of ${kernel}`, { skip }, () => {
    it('counts what the pagemaps of two guests say', () => {
      const dump = openDump(path)
      const [first, second] = truthOf(kernel).vms
      assert.ok(first && second)
      const { counts } = compare(dump.vm(first.pid), dump.vm(second.pid))
      const a = framesOf(kernel, first)
      const b = framesOf(kernel, second)
      const all = new Set([...a.keys(), ...b.keys()])
      const wanted = { moved: 0, sameFrame: 0, onlyFirst: 0, onlySecond: 0 }
      for (const gpa of all) {
        const [one, two] = [a.get(gpa), b.get(gpa)]
        if (one === undefined) wanted.onlySecond++
        else if (two === undefined) wanted.onlyFirst++
        else if (one >= 0 && two >= 0) wanted[one === two ? 'sameFrame' : 'moved']++
      }
      assert.equal(counts.moved, wanted.moved)
      assert.ok(counts.same >= wanted.sameFrame)
      assert.equal(counts['new slot'], wanted.onlySecond)
      assert.equal(counts['no slot'], wanted.onlyFirst)
      dump.close()
    })

    it('finds nothing between a guest and itself', () => {
      const dump = openDump(path)
      const [vm] = dump.vms
      assert.ok(vm)
      const { counts, pages, changed } = compare(vm, vm)
      assert.equal(counts.same, pages)
      assert.deepEqual(changed, [])
      dump.close()
    })

    it('finds the entries that were changed', () => {
      const source = openPages(path)
      const { pid, translations } = truthOf(kernel).vms[0] ?? { pid: 0, translations: [] }
      const whole: Vm | undefined = hostParts(source).task(pid).vms[0]
      assert.ok(whole)
      const small = translations.filter(({ state, kind }) => state === 'present' && kind === '4k')
      const gpas = [...new Set(small.map(({ gpa }) => Math.floor(parseInt(gpa) / 4096) * 4096))]
      const swapped = translations.find(({ state }) => state === 'swapped')?.gpa ?? '0'
      const entryOf = (gpa: number) => qemuVtop(whole, gpa).walk?.steps.at(-1)
      const [went = 0, moved = 0] = gpas
      const changes = new Map([
        [entryOf(went)?.entryAt ?? 0, 0n],
        [entryOf(moved)?.entryAt ?? 0, entryOf(parseInt(swapped))?.value ?? 0n],
      ])
      const altered = new AlteredPages(source, {
        pages: (pfn) => {
          const mine = [...changes].filter(([at]) => Math.floor(at / 4096) === pfn)
          const bytes = mine.length === 0 ? undefined : source.page(pfn)
          if (!(bytes instanceof Uint8Array)) return undefined
          const copy = Uint8Array.from(bytes)
          for (const [at, value] of mine) {
            new DataView(copy.buffer).setBigUint64(at % 4096, value, true)
          }
          return copy
        },
      })
      const after: Vm | undefined = hostParts(altered).task(pid).vms[0]
      assert.ok(after)
      const forth = compare(whole, after)
      assert.deepEqual(
        new Map(forth.changed.map(({ gpa, change }) => [gpa, change])),
        new Map([
          [went, 'went'],
          [moved, 'swapped out'],
        ]),
      )
      const back = compare(after, whole)
      assert.deepEqual(
        new Map(back.changed.map(({ gpa, change }) => [gpa, change])),
        new Map([
          [went, 'appeared'],
          [moved, 'swapped in'],
        ]),
      )
      source.close()
    })
  })
}

describe('compare', () => {
  it('takes no page for the same when a page table that tells is in neither dump', () => {
    const built = smallHost()
    const { tables } = built.task(vmmPid)
    built.without(tables.entryAt(guestHva, 1))
    withDump(built, (dump) => {
      const vm = dump.vm(vmmPid)
      const { counts, pages } = compare(vm, vm)
      assert.deepEqual([counts.other, counts.same, pages], [512, pages - 512, 0x1000])
    })
  })

  const pages = 0x30000
  /** A guest of 768 MiB of which pages at both sides of the border between two steps are mapped, and the outermost. */
  const large = (gfns: readonly number[]) =>
    smallHost(
      {},
      {
        vms: [{ slots: [{ ...guestSlot, pages }] }],
        vmas: [
          { start: 0x550000000000n, end: 0x550000002000n, protection: 'r--p' },
          { start: guestHva, end: guestHva + BigInt(pages) * 4096n },
        ],
        entries: gfns.map((gfn, i) => [
          guestHva + BigInt(gfn) * 4096n,
          1,
          page(guestHpa + i * 4096),
        ]),
      },
    )
  const mapped = [0, 0xffff, 0x10000, 0x2ffff]

  it('counts every page of many once, and lists as many as it is told to', () => {
    withDump(large(mapped), (one) => {
      withDump(large([]), (other) => {
        const [first, second] = [one.vm(vmmPid), other.vm(vmmPid)]
        const all = compare(first, second)
        assert.deepEqual(
          all.changed.map(({ gpa, change, hpa }) => [gpa, change, hpa]),
          mapped.map((gfn, i) => [...[gfn * 4096, 'went', [BigInt(guestHpa + i * 4096), null]]]),
        )
        assert.deepEqual([all.pages, all.counts.same, all.counts.went], [pages, pages - 4, 4])
        assert.deepEqual(all.states, [
          { state: 'mapped', pageSize: 4096, pages: [4, 0] },
          { state: 'unmapped', pageSize: null, pages: [pages - 4, pages] },
        ])
        const few = compare(first, second, { mostChanged: 1 })
        assert.deepEqual([few.changed.length, few.isCut, few.counts.went], [1, true, 4])
      })
    })
  })

  it('keeps what was compared until it is stopped', () => {
    withDump(large(mapped), (dump) => {
      const vm = dump.vm(vmmPid)
      let told = 0
      const end = onProgress(({ label }) => ({
        advance() {
          if (label === 'comparing two guests' && ++told === 2) throw new Error('enough')
        },
        finish: () => undefined,
        stop: () => undefined,
      }))
      try {
        assert.throws(
          () => compare(vm, vm),
          (error) => {
            assert.ok(error instanceof UnfinishedComparisonError)
            assert.match(error.message, /^stopped at gpa 0x20000000 when 131,072 of 196,608 pages/)
            assert.match(error.message, /: enough$/)
            const { comparison, gpa, total } = error
            assert.deepEqual([gpa, total], [0x20000000, pages])
            assert.deepEqual([comparison.pages, comparison.counts.same], [0x20000, 0x20000])
            return true
          },
        )
      } finally {
        end()
      }
      assert.equal(compare(vm, vm).counts.same, pages)
    })
  })

  it('takes nothing but virtual machines', () => {
    assert.throws(() => compare(5 as unknown as Vm, 6 as unknown as Vm), UsageError)
  })
})

/** The frame of each page of address space 0, or -1. */
function framesOf(kernel: string, { memslots }: TrueVm): Map<number, number> {
  const pagemap = pagemapOf(kernel)
  const frames = new Map<number, number>()
  for (const slot of memslots.filter(({ address_space }) => address_space === 0)) {
    for (let page = 0; page < slot.pages; page++) {
      const at = slot.pagemap_bin_offset / 8 + page
      const high = pagemap[2 * at + 1] ?? 0
      const pfn = high >>> 31 === 1 ? (high & 0x7fffff) * 2 ** 32 + (pagemap[2 * at] ?? 0) : -1
      frames.set(parseInt(slot.gpa) + page * 4096, pfn)
    }
  }
  return frames
}
