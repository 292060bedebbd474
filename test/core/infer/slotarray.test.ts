// SPDX-License-Identifier: GPL-2.0-or-later
// Memslots in arrays of a written host, with members where no real kernel has them.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Findings } from '../../../core/infer/findings.ts'
import { Ground } from '../../../core/infer/ground.ts'
import { inferMemslots } from '../../../core/infer/memslot.ts'
import { newSurvey } from '../../../core/infer/survey.ts'
import { type BuiltHost } from '../../build/linux.ts'
import { hostWithVms, smallHost, vmmPid, withDump } from '../../build/smallhost.ts'

const MiB = 0x100000
const hva = 0x7f0000000000n
/** Guest frames in another order than host addresses and numbers. */
const slots = [
  { id: 3, gpa: 0, pages: 0x20, hva: hva + 0x800000n },
  { id: 0, gpa: 0x20000, pages: 0x30, hva },
  { id: 5, gpa: MiB, pages: 0x400, hva: hva + 0x100000n, flags: 2 },
]
const smm = [{ id: 3, gpa: 0, pages: 0x20, hva: hva + 0x800000n }]

describe('memslots in arrays, without types', () => {
  it('are found with the count before them', () => {
    const found = inferredOf(arrays())
    assert.deepEqual(found.offsets, {
      'kvm.memslots': found.wanted('kvm.memslots'),
      'kvm_memslots.used_slots': found.wanted('kvm_memslots.used_slots'),
      'kvm_memslots.memslots': found.wanted('kvm_memslots.memslots'),
      ...found.slot(),
    })
  })

  it('are found with the count behind room for 512 of them, as until 5.6', () => {
    const built = arrays()
    const { kernel } = built
    const size = kernel.types.sizeOf('kvm_memory_slot') ?? assert.fail()
    const countAt = 16 + 512 * size
    const vm = built.task(vmmPid).vms[0] ?? assert.fail()
    vm.sets.forEach((set, space) => {
      const used = Number(kernel.get('kvm_memslots', set, 'used_slots'))
      const fixed = kernel.room(countAt + 8)
      const from = kernel.hpa(kernel.member('kvm_memslots', set, 'memslots'))
      for (let i = 0; i < used * size; i++) {
        const page = kernel.memory.page(Math.floor((from + i) / 4096))
        if (!(page instanceof Uint8Array)) assert.fail()
        kernel.memory.u8(kernel.hpa(fixed) + 16 + i, page[(from + i) % 4096] ?? 0)
      }
      kernel.memory.u8(kernel.hpa(fixed) + countAt, used)
      kernel.set('kvm', vm.kvm, { [`memslots[${space}]`]: fixed })
    })
    const found = inferredOf(built)
    assert.deepEqual(found.offsets, {
      'kvm.memslots': found.wanted('kvm.memslots'),
      'kvm_memslots.used_slots': countAt,
      'kvm_memslots.memslots': 16,
      ...found.slot(),
    })
  })

  it('are refused when two places count them', () => {
    const built = arrays()
    const { kernel } = built
    const vm = built.task(vmmPid).vms[0] ?? assert.fail()
    for (const set of vm.sets) {
      const used = kernel.get('kvm_memslots', set, 'used_slots')
      kernel.set('kvm_memslots', set, { generation: used })
    }
    assert.throws(
      () => inferredOf(built),
      /kvm_memslots.used_slots: several places fit .*candidates 0 \(.*, 8 \(agreed 1 of 1\)/,
    )
  })

  it('are refused when they lie in no VMA', () => {
    const away = slots.map((slot) => ({ ...slot, hva: slot.hva + 0x10000000n }))
    const built = smallHost({ memslots: 'array' }, { vms: [{ slots: away }] })
    assert.throws(() => inferredOf(built), /no place agreed with anything/)
  })

  it('are refused without a virtual machine', () => {
    assert.throws(() => inferredOf(hostWithVms()), /no virtual machine was found/)
  })
})

function arrays(): BuiltHost {
  return smallHost({ memslots: 'array', vmas: 'rbtree' }, { vms: [{ slots, smm }] })
}

/** Infers memslots from what the steps before would have met: the VMs, and their processes' VMAs. */
function inferredOf(built: BuiltHost) {
  const { kernel } = built
  const findings = new Findings()
  withDump(built, (dump) => {
    const survey = newSurvey(new Ground(dump.host), findings)
    const { mm, vmas, vms } = built.task(vmmPid)
    const ranges = vmas.map((address) => ({
      address,
      start: kernel.get('vm_area_struct', address, 'vm_start'),
      end: kernel.get('vm_area_struct', address, 'vm_end'),
    }))
    survey.mms.set(mm, { block: survey.ground.block(mm, 256), vmas: ranges })
    for (const { kvm } of vms) {
      survey.kvms.set(kvm, { block: survey.ground.block(kvm, 0x200), mm })
    }
    inferMemslots(survey)
  })
  const wanted = (name: string) => {
    const [struct = '', member = ''] = name.split('.')
    return kernel.types.struct(struct)?.member(member)?.offset
  }
  const members = ['userspace_addr', 'base_gfn', 'npages', 'id', 'flags']
  return {
    wanted,
    slot: () =>
      Object.fromEntries(
        members.map((name) => `kvm_memory_slot.${name}`).map((name) => [name, wanted(name)]),
      ),
    offsets: Object.fromEntries(
      findings.all.flatMap(({ member, offset }) =>
        offset === undefined || !member.startsWith('kvm') ? [] : [[member, offset]],
      ),
    ),
  }
}
