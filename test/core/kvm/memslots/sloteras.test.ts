// SPDX-License-Identifier: GPL-2.0-or-later
// The same memslots out of whole hosts of every era, from 2.6.32 on.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { qemuVtop, type HostDump, type Vm } from '../../../../core/index.ts'
import { type BuiltHost } from '../../../build/linux.ts'
import { page } from '../../../build/pagetable.ts'
import { guestHpa, guestHva, smallHost, vmmPid, withDump } from '../../../build/smallhost.ts'
import { type SlotForm, slotTexts } from '../../../build/slotforms.ts'
import { type VmDescription } from '../../../build/vmm.ts'

/** What is asked of each era: `own` are the numbers of KVM's own slots. */
const eras: readonly {
  readonly form: SlotForm
  readonly kernels: string
  readonly own: number
  readonly limit: number
  /** The member that counts the slots, where there is one. */
  readonly count: string | null
}[] = [
  { form: 'tree', kernels: '5.17 and later', own: 32764, limit: 32767, count: null },
  { form: 'array', kernels: '5.7 to 5.16', own: 32764, limit: 32767, count: 'used_slots' },
  { form: 'fixed array', kernels: '4.0 to 5.6', own: 509, limit: 512, count: 'used_slots' },
  { form: 'by size', kernels: '3.3 to 3.19', own: 125, limit: 128, count: null },
  { form: 'by id', kernels: '2.6.34 to 3.2', own: 32, limit: 36, count: 'nmemslots' },
  { form: 'in kvm', kernels: '2.6.32', own: 32, limit: 36, count: 'nmemslots' },
]

const low = { id: 0, gpa: 0, pages: 0xa0, hva: guestHva }
const high = { id: 2, gpa: 0x100000, pages: 0x700, hva: guestHva + 0x100000n }
const bios = { id: 1, gpa: 0xfffc0000, pages: 0x40, hva: guestHva + 0xe00000n, flags: 1 }
const gone = { id: 4, gpa: 0x2000000, pages: 0x100, hva: guestHva + 0xf00000n }
const smram = { id: 0, gpa: 0xa0000, pages: 0x20, hva: guestHva + 0xa0000n }

/** A host whose guest has memory on both sides of a hole, a slot that is going, and one that is gone. */
function hostOf(form: SlotForm, changes: Partial<VmDescription> = {}): BuiltHost {
  const dying = { id: 3, gpa: 0x1000000, pages: 0x80, hva: guestHva, flags: invalidOf(form) }
  const slots = [high, bios, low, dying]
  const vm = { slots, smm: [low, smram], stale: [gone], ...changes }
  const entries = [
    [guestHva, 1, page(guestHpa)],
    [high.hva + 0x3000n, 1, page(0x18000000)],
    [guestHva + 0xa0000n, 1, page(0x19000000)],
  ] as const
  return smallHost({ memslots: form }, { vms: [vm], entries })
}

const invalidOf = (form: SlotForm) => 2 ** slotTexts[form].invalid

const shown = (vm: Vm) =>
  vm.memslots.map((slot) => [
    slot.addressSpace,
    slot.id,
    slot.gpa,
    slot.size,
    slot.hva,
    slot.flags.join('|'),
    slot.invalid,
  ])

const wanted = [
  [0, 0, 0, 0xa0000, low.hva, '', false],
  [0, 2, 0x100000, 0x700000, high.hva, '', false],
  [0, 3, 0x1000000, 0x80000, guestHva, 'INVALID', true],
  [0, 1, 0xfffc0000, 0x40000, bios.hva, 'LOG_DIRTY_PAGES', false],
]
const wantedInSmm = [
  [1, 0, 0, 0xa0000, low.hva, '', false],
  [1, 0, 0xa0000, 0x20000, smram.hva, '', false],
]

function vmOf(dump: HostDump): Vm {
  const [vm] = dump.task(vmmPid).vms
  assert.ok(vm)
  return vm
}

for (const { form, kernels, own, limit, count } of eras) {
  describe(`memslots of kernels ${kernels}, kept ${form}`, () => {
    const { addressSpaces } = slotTexts[form]

    it('are the same in every address space, without those that were deleted', () => {
      withDump(hostOf(form), (dump) => {
        assert.deepEqual(
          shown(vmOf(dump)),
          addressSpaces === 2 ? [...wanted, ...wantedInSmm] : wanted,
        )
        assert.deepEqual([vmOf(dump).memslots.lost, vmOf(dump).memslots.isWhole], [[], true])
        assert.deepEqual(vmOf(dump).memslots.remarks, [])
      })
    })

    it('lead to the host, and to nothing in a hole, where a slot was deleted, or is being deleted', () => {
      withDump(hostOf(form), (dump) => {
        const answers = [0x40, 0x103008, 0x900000, gone.gpa, 0x1000000].map((gpa) => {
          const { state, hpa } = qemuVtop(dump.task(vmmPid), gpa)
          return [state, hpa]
        })
        assert.deepEqual(answers, [
          ['mapped', guestHpa + 0x40],
          ['mapped', 0x18000008],
          ['no-slot', null],
          ['no-slot', null],
          ['no-slot', null],
        ])
      })
    })

    it("tell KVM's own by name", () => {
      const slots = [0, 1, 2].map((i) => {
        return { id: own + i, gpa: 0xfee00000 + i * 0x10000, pages: 1, hva: guestHva }
      })
      withDump(hostOf(form, { slots: [low, ...slots], stale: [] }), (dump) => {
        assert.deepEqual(
          vmOf(dump).memslots.flatMap(({ addressSpace, internal }) =>
            addressSpace === 0 ? [internal] : [],
          ),
          [undefined, 'TSS', 'APIC access page', 'identity map'],
        )
      })
    })

    if (count !== null) {
      it('stop when more are said to be in use than there is room for', () => {
        const built = hostOf(form)
        const [set = 0n] = built.task(vmmPid).vms[0]?.sets ?? []
        for (const wrong of [-1, limit + 1]) {
          built.kernel.set(form === 'in kvm' ? 'kvm' : 'kvm_memslots', set, { [count]: wrong })
          withDump(built, (dump) => {
            assert.throws(() => vmOf(dump).memslots, { code: 'corrupt-structure' })
          })
        }
      })
    }
  })
}

/** Generations, and of which address spaces they say that KVM was changing the slots. */
const generations: readonly { form: SlotForm; of: readonly bigint[]; changing: number[] }[] = [
  { form: 'tree', of: [46n, 47n], changing: [] },
  { form: 'tree', of: [46n, (1n << 63n) | 47n], changing: [1] },
  { form: 'array', of: [(1n << 63n) | 46n, 47n], changing: [0] },
  // 4.4 begins at -150 and adds 1 before a change, 3 behind it; both spaces are even at rest.
  { form: 'fixed array', of: [2n ** 64n - 150n, 2n ** 64n - 148n], changing: [] },
  { form: 'fixed array', of: [2n ** 64n - 149n, 8n], changing: [0] },
  { form: 'fixed array', of: [46n, 49n], changing: [1] },
  // 5.1 to 5.6: the same array, and bit 63.
  { form: 'fixed array', of: [46n, (1n << 63n) | 47n], changing: [1] },
  // They only count.
  { form: 'by size', of: [7n], changing: [] },
]

describe('memslots that KVM was changing', () => {
  for (const { form, of, changing } of generations) {
    it(`${changing.length === 0 ? 'are not seen in' : 'are told from'} ${of.map(String).join(' and ')}, kept ${form}`, () => {
      withDump(hostOf(form, { generations: of }), (dump) => {
        const spaces = vmOf(dump).memslots.remarks.map(
          (text) => /address space (\d)/.exec(text)?.[1],
        )
        assert.deepEqual(spaces, changing.map(String))
      })
    })
  }
})

describe('aliases of guest frames', () => {
  const vga = { id: 1, gpa: 0xf0000000, pages: 0x20, hva: guestHva + 0x800000n }
  const slots = [{ ...low, pages: 0x100 }, vga]
  const alias = { gpa: 0xa0000, pages: 0x10, target: 0xf0008000 }
  for (const form of ['by id', 'in kvm'] as const) {
    it(`take the place of the slot that they cover, kept ${form}`, () => {
      withDump(hostOf(form, { slots, stale: [], aliases: [alias] }), (dump) => {
        assert.deepEqual(
          vmOf(dump).memslots.map((slot) => [slot.id, slot.gpa, slot.size, slot.hva, slot.aliasOf]),
          [
            [0, 0, 0xa0000, guestHva, undefined],
            [1, 0xa0000, 0x10000, vga.hva + 0x8000n, 0xf0008000],
            [0, 0xb0000, 0x50000, guestHva + 0xb0000n, undefined],
            [1, 0xf0000000, 0x20000, vga.hva, undefined],
          ],
        )
        assert.equal(qemuVtop(dump.task(vmmPid), 0xa1234).hva, vga.hva + 0x9234n)
      })
    })
  }

  it('lead to nothing where no slot is behind them, and the first of several has the last word', () => {
    const aliases = [
      { gpa: 0xa8000, pages: 8, target: 0xe0000000 },
      { ...alias, pages: 0x10 },
    ]
    withDump(hostOf('in kvm', { slots, stale: [], aliases }), (dump) => {
      const task = dump.task(vmmPid)
      assert.equal(qemuVtop(task, 0xa8000).state, 'no-slot')
      assert.equal(qemuVtop(task, 0xa7000).hva, vga.hva + 0xf000n)
    })
  })

  it('do not count while KVM changes them', () => {
    const aliases = [{ ...alias, flags: 1 }]
    withDump(hostOf('by id', { slots, stale: [], aliases }), (dump) => {
      assert.equal(qemuVtop(dump.task(vmmPid), 0xa1234).hva, guestHva + 0xa1234n)
    })
  })

  it('are refused when there are more than there is room for', () => {
    const built = hostOf('in kvm', { slots, stale: [], aliases: [alias] })
    built.kernel.set('kvm', built.task(vmmPid).vms[0]?.kvm ?? 0n, { 'arch.naliases': 5 })
    withDump(built, (dump) => {
      assert.throws(() => vmOf(dump).memslots, /naliases at .*: is 5, but there is room for 4/)
    })
  })
})
