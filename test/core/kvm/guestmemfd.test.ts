// SPDX-License-Identifier: GPL-2.0-or-later
// Private pages of confidential guests, on a host written for the case.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { allPages, qemuVtop } from '../../../core/index.ts'
import { addGuestMemfd, addRandomGuestMemfd } from '../../build/guestmemfd.ts'
import { folioHpa, GUEST_MEMFD, privateHpa } from '../../build/guestmemfd.ts'
import { type BuiltHost } from '../../build/linux.ts'
import { page } from '../../build/pagetable.ts'
import { guestHpa, guestHva, guestSlot, hostWithVms } from '../../build/smallhost.ts'
import { smallHost, vmmPid, withDump } from '../../build/smallhost.ts'
import { checkRow } from '../bulk/compare.ts'

const GMEM_ONLY = 0x20000

/** A guest with private pages in its one memslot. */
function confidential(flags = GUEST_MEMFD): BuiltHost {
  const built = hostWithVms({ slots: [{ ...guestSlot, flags }] })
  addGuestMemfd(built, vmmPid)
  return built
}

const answer = (built: BuiltHost, gpa: number) =>
  withDump(built, (dump) => {
    const { state, hpa, reason, walk, slot } = qemuVtop(dump.task(vmmPid), gpa)
    assert.ok(slot)
    return { state, hpa, reason, isWalked: walk !== null }
  })

describe('an address of a confidential guest', () => {
  it('that is private leads through the file, to its frame of a large folio', () => {
    const { state, hpa, reason, isWalked } = answer(confidential(), 0x5123)
    // Frame 5 is page 9 of the file.
    assert.deepEqual([state, hpa, isWalked], ['mapped', folioHpa + 0x1123, false])
    assert.match(reason, /^private to the guest: page 9 of the guest_memfd at 0x/)
    assert.equal(answer(confidential(), 0x4000).hpa, folioHpa)
  })

  it('that is private and has no page yet says so', () => {
    const { state, hpa, reason } = answer(confidential(), 0x2000)
    assert.deepEqual([state, hpa], ['unmapped', null])
    assert.match(reason, /page 6 of the guest_memfd at .*, which was never touched/)
  })

  it('that is shared leads through the memory of the VMM', () => {
    const { state, hpa, isWalked } = answer(confidential(), 0x40)
    assert.deepEqual([state, hpa, isWalked], ['mapped', guestHpa + 0x40, true])
    assert.equal(answer(confidential(), 0x6000).isWalked, true)
  })

  it('is always private in a slot that has guest_memfd only', () => {
    const { state, reason } = answer(confidential(GUEST_MEMFD | GMEM_ONLY), 0x40)
    assert.equal(state, 'unmapped')
    assert.match(reason, /page 4 of the guest_memfd/)
  })

  it('that is private leads nowhere once the file was closed', () => {
    const built = confidential()
    const slot = built.task(vmmPid).vms[0]?.slots[0] ?? 0n
    built.kernel.set('kvm_memory_slot', slot, { 'gmem.file': 0n })
    const { state, reason } = answer(built, 0x5000)
    assert.deepEqual(
      [state, reason],
      ['unmapped', 'private to the guest, but its guest_memfd was closed'],
    )
  })

  it('that may be private is not answered from the memory of the VMM when its attributes are missing', () => {
    const built = confidential()
    const kvm = built.task(vmmPid).vms[0]?.kvm ?? 0n
    built.kernel.set('kvm', kvm, { 'mem_attr_array.xa_head': 0xffff9a00f0000002n })
    const { state, hpa } = answer(built, 0x40)
    assert.deepEqual([state, hpa], ['not-in-dump', null])
  })

  it('is the same among many, and is counted as what it is', () => {
    withDump(confidential(), (dump) => {
      const task = dump.task(vmmPid)
      const gpas = Array.from({ length: 4096 }, (_, gfn) => gfn * 4096 + 0x23)
      const many = qemuVtop(task, gpas)
      const counts = new Map<string, number>()
      for (const [i, gpa] of gpas.entries()) {
        const { state, hpa, hva } = qemuVtop(task, gpa)
        const row = many.row(i)
        assert.ok(row)
        const found = [row.state, row.hpa, row.hva]
        assert.deepEqual(found, [state, hpa === null ? null : BigInt(hpa), hva], `frame ${i}`)
        counts.set(state, (counts.get(state) ?? 0) + 1)
      }
      assert.equal(counts.get('mapped'), 3)
      const [vm] = task.vms
      assert.ok(vm)
      for (const { state = '', bytes } of vm.coverage().groupBy('state')) {
        assert.equal(bytes, 4096 * (counts.get(state) ?? 0), state)
      }
    })
  })

  it('is read from its own frame, not from the shared one', () => {
    const built = confidential()
    built.kernel.memory.u64(folioHpa + 0x1000, 0x1122334455667788n)
    withDump(built, (dump) => {
      const [vm] = dump.task(vmmPid).vms
      assert.ok(vm)
      assert.equal(Buffer.from(vm.read(0x5000, 8)).readBigUInt64LE(), 0x1122334455667788n)
      assert.throws(() => vm.read(0x2000, 8), /private to the guest, and it was never touched/)
    })
  })

  it('is an answer that prints', () => {
    withDump(confidential(), (dump) => {
      const translation = qemuVtop(dump.task(vmmPid), 0x5123)
      assert.match(String(translation), /private to the guest/)
      assert.match(JSON.stringify(translation), /private to the guest/)
      assert.equal(translation.page?.pfn, folioHpa / 4096 + 1)
    })
  })
})

describe('the memory of a confidential guest', () => {
  const pages = 0x9000
  const cases = [
    ['with pages that are private and others that are not', GUEST_MEMFD],
    ['that is all private', GUEST_MEMFD | GMEM_ONLY],
  ] as const
  for (const [what, flags] of cases) {
    it(`${what} is counted as each of its pages is found, with nodes of the trees missing`, () => {
      const vms = [{ slots: [{ ...guestSlot, pages, flags }] }]
      const vmas = [{ start: guestHva, end: guestHva + 0x9000000n }]
      const entries = Array.from({ length: 2000 }, (_, i) => {
        const hva = guestHva + BigInt(i * 18 * 4096)
        return [hva, 1, page(guestHpa + (i % 3) * 4096)] as const
      })
      const built = smallHost({}, { vms, vmas, entries })
      const nodes = addRandomGuestMemfd(built, vmmPid, pages)
      for (const [i, hpa] of nodes.entries()) if (i % 12 === 7) built.without(hpa)
      for (let i = 0; i < 3000; i++) built.kernel.memory.zero(privateHpa + i * 3 * 4096)

      withDump(built, (dump) => {
        const [vm] = dump.task(vmmPid).vms
        assert.ok(vm)
        const found = new Map<string, number>()
        const privateGpas = new Map<number, number>()
        const many = allPages(vm)
        assert.equal(many.length, pages)
        for (let gpa = 0; gpa < pages * 4096; gpa += 4096) {
          const { state, hpa } = qemuVtop(vm, gpa)
          if (gpa % 7 === 0) checkRow(vm, many, gpa / 4096)
          const isSaved = hpa !== null && dump.memory.source.page(hpa / 4096) instanceof Uint8Array
          const key = hpa === null ? state : `${state} ${isSaved}`
          found.set(key, (found.get(key) ?? 0) + 4096)
          if (hpa !== null && hpa >= privateHpa) privateGpas.set(hpa, gpa)
        }
        const coverage = vm.coverage()
        const counted = coverage
          .groupBy('state', 'inDump')
          .map(({ state, inDump, bytes }): [string, number] => {
            return [inDump === null ? `${state}` : `${state} ${inDump}`, bytes]
          })
        assert.deepEqual(counted.sort(), [...found].sort())
        assert.equal(found.size, 4, [...found].join())
        assert.match(coverage.remarks.join(), /what leads to private memory .* is not in the dump/)

        assert.ok(privateGpas.size > 1000, `${privateGpas.size} private pages`)
        for (const [hpa, gpa] of [...privateGpas].filter((_, i) => i % 50 === 0)) {
          const { guests } = dump.whoHas(hpa)
          assert.deepEqual(
            guests.map((guest) => guest.gpa),
            [gpa],
          )
        }
        assert.match(dump.whoHas(guestHpa).remarks.join(), /nobody knows whether they are private/)
      })
    })
  }
})
