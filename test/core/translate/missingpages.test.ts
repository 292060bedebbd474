// SPDX-License-Identifier: GPL-2.0-or-later
// What a translation says when the dump lacks a page that it needs: which page, what for, and why.

import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import { FaultError, qemuVtop } from '../../../core/index.ts'
import { type BuiltHost } from '../../build/linux.ts'
import { swapEntry } from '../../build/pagetable.ts'
import { guestHpa, guestHva, smallHost, vmmPid, withDump } from '../../build/smallhost.ts'

const reasons = [
  ['excluded', /makedumpfile did not save the page \(dump level 31 /],
  ['hole', /the host has no memory there/],
  ['lost', /the file ends at \d+/],
] as const

for (const [why, words] of reasons) {
  for (const [level, name] of [
    [1, 'PTE'],
    [2, 'PMD'],
    [3, 'PUD'],
    [4, 'PGD'],
  ] as const) {
    test(`a ${name} table that is not in the dump (${why}) is named, with the reason`, () => {
      const built = smallHost()
      const table = built.task(vmmPid).tables.tableAt(guestHva, level)
      built.without(table, why)
      withDump(built, (dump) => {
        const answer = qemuVtop(dump.task(vmmPid), 0)
        assert.deepEqual([answer.state, answer.hpa, answer.page], ['not-in-dump', null, null])
        const start = `the page table at 0x${table.toString(16)} is not in the dump: `
        assert.equal(answer.reason.slice(0, start.length), start)
        assert.match(answer.reason, words)
        assert.equal(answer.walk?.end.kind, 'not-in-dump')
        assert.equal(answer.walk.steps.length, 4 - level)
        assert.match(String(answer), /\(not in dump\)/)
      })
    })
  }
}

/** What the answer can do without: it stays, and its text says what is missing. */
const optional: readonly {
  readonly name: string
  readonly lose: (built: BuiltHost) => number
  readonly part: 'vma' | 'page'
  readonly remark: RegExp
}[] = [
  {
    name: 'the VMA',
    lose: (built) => {
      // All VMAs are in one page with other objects: one apart takes the place of the guest's.
      const { mm, vmas } = built.task(vmmPid)
      const hpa = built.kernel.newPage()
      const own = built.kernel.set('vm_area_struct', built.kernel.direct(hpa), {})
      const root = built.kernel.get('mm_struct', mm, 'mm_mt.ma_root') & ~0xffn
      for (let slot = 0; slot < 15; slot++) {
        if (built.kernel.get('maple_range_64', root, `slot[${slot}]`) === vmas[1]) {
          built.kernel.set('maple_range_64', root, { [`slot[${slot}]`]: own })
        }
      }
      return hpa
    },
    part: 'vma',
    remark:
      /^the VMA of the address: cannot read kernel virtual address 0x\w+: its page at hpa .*did not save the page.*\(needed for vm_area_struct\.vm_start\)$/,
  },
  {
    name: 'the struct page',
    lose: (built) => built.kernel.hpa(built.kernel.structPage(guestHpa / 4096)),
    part: 'page',
    remark:
      /^the struct page of the frame: cannot read kernel virtual address 0x\w+: .*did not save the page.*\(needed for page\.\w+\)$/,
  },
]

describe('an answer stays, with a remark, without', () => {
  for (const { name, lose, part, remark } of optional) {
    it(name, () => {
      const built = smallHost()
      built.without(lose(built))
      withDump(built, (dump) => {
        const answer = qemuVtop(dump.task(vmmPid), 0x10)
        assert.deepEqual([answer.state, answer.hpa], ['mapped', guestHpa + 0x10])
        assert.equal(answer[part], null)
        assert.equal(answer.remarks.length, 1)
        assert.match(answer.remarks[0] ?? '', remark)
        assert.match(String(answer), / NOT READ {2}the /)
        assert.deepEqual(answer.toJSON().remarks, answer.remarks)
      })
    })
  }

  it('the swap device: type and offset are in the entry itself', () => {
    const swaps = [{ path: '/dev/vda2', pages: 1000 }]
    const built = smallHost({ swaps }, { entries: [[guestHva, 1, swapEntry(0, 5)]] })
    // The pointer to the device leads to a page of its own, which is left out.
    const hpa = built.kernel.newPage()
    const at = built.kernel.hpa(built.kernel.symbol('swap_info'))
    built.kernel.memory.u64(at, built.kernel.direct(hpa))
    withDump(built.without(hpa), (dump) => {
      const { state, swap, reason } = qemuVtop(dump.task(vmmPid), 0)
      assert.equal(state, 'swapped')
      assert.deepEqual(swap, { type: 0, offset: 5, path: null, cachedAt: null })
      assert.match(
        reason,
        /^swapped to device 0 at offset 5; where that is: cannot read .*did not save the page.*swap_info_struct/,
      )
    })
  })

  it('a VMA, where no entry is, and does not say that there is none', () => {
    const built = smallHost({}, { entries: [] })
    const { mm } = built.task(vmmPid)
    const hpa = built.kernel.newPage()
    built.kernel.set('mm_struct', mm, { 'mm_mt.ma_root': built.kernel.direct(hpa) | 0xan })
    withDump(built.without(hpa), (dump) => {
      const answer = qemuVtop(dump.task(vmmPid), 0)
      assert.equal(answer.state, 'unmapped')
      assert.match(answer.reason, /^never touched, or given back: the P\w\w entry is empty$/)
      assert.match(answer.remarks[0] ?? '', /needed for maple_range_64/)
    })
  })
})

test('an mm that is not in the dump gives an answer that says so', () => {
  const built = smallHost()
  const hpa = built.kernel.newPage()
  const vm = built.task(vmmPid).vms[0]
  assert.ok(vm)
  built.kernel.set('kvm', vm.kvm, { mm: built.kernel.direct(hpa) })
  withDump(built.without(hpa), (dump) => {
    const [found] = dump.vms
    assert.ok(found)
    // Nobody can know whose memory it was either.
    assert.throws(() => qemuVtop(found, 0), FaultError)
  })
})

test('memslots that are not in the dump are said to be missing, with their structure', () => {
  const built = smallHost()
  const hpa = built.kernel.newPage()
  const vm = built.task(vmmPid).vms[0]
  assert.ok(vm)
  built.kernel.set('kvm', vm.kvm, { 'memslots[0]': built.kernel.direct(hpa) })
  withDump(built.without(hpa), (dump) => {
    assert.throws(
      () => qemuVtop(dump.task(vmmPid), 0),
      (error) => {
        assert.ok(error instanceof FaultError)
        assert.equal(error.reason, 'excluded')
        assert.match(error.message, /\(needed for kvm_memslots\.\w+/)
        return true
      },
    )
  })
})
