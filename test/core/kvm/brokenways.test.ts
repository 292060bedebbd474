// SPDX-License-Identifier: GPL-2.0-or-later
// Chosen pages of the real dumps are taken away: each way to virtual machines and memslots has another beside it.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type PageSource } from '../../../core/dump/format.ts'
import { openPages } from '../../../core/dump/open.ts'
import { FaultError, qemuVtop, type Translation } from '../../../core/index.ts'
import { hostParts, type HostParts } from '../../build/hostparts.ts'
import { withoutPages } from '../../build/lostpages.ts'
import { kernels, realDump } from '../../place.ts'
import { type Truth, truthOf } from '../../truth.ts'

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`the dump of ${kernel}`, { skip }, () => {
    let source: PageSource
    let whole: HostParts
    let truth: Truth
    before(() => {
      source = openPages(path)
      whole = hostParts(source)
      truth = truthOf(kernel)
    })
    after(() => {
      source.close()
    })
    /** The frame that a member of a structure lies in. */
    const frameOf = (struct: string, at: bigint, member: string): number => {
      const { types, space } = whole.linux.host
      const offset = types.struct(struct)?.member(member)?.offset
      assert.ok(offset !== undefined)
      return Math.floor(space.physical(at + BigInt(offset)) / 4096)
    }
    const without = (...pfns: number[]) => hostParts(withoutPages(source, new Set(pfns)))
    const pids = (parts: HostParts) =>
      parts
        .vms()
        .map((vm) => vm.task?.pid)
        .sort()

    it('has all virtual machines while one link of their list is missing', () => {
      for (const vm of whole.vms()) {
        const parts = without(frameOf('kvm', vm.address, 'vm_list'))
        assert.deepEqual(pids(parts), pids(whole))
        assert.deepEqual(parts.vms().lost, [])
      }
    })

    it('has those whose files are there while several links are missing, and says that there may be more', () => {
      const parts = without(...whole.vms().map((vm) => frameOf('kvm', vm.address, 'vm_list')))
      assert.deepEqual(pids(parts), pids(whole))
      // Between two links that are missing others can be; two that stand side by side hide none.
      if (whole.vms().length < 3) return
      assert.match(parts.vms().lost.at(-1) ?? '', /vm_list has a gap.*was taken away/)
      assert.ok(
        parts.vms().some((vm) => vm.salvaged.some((how) => /files of its process/.test(how))),
      )
    })

    it('knows whose memory a virtual machine has while kvm.mm is missing', () => {
      for (const vm of whole.vms()) {
        const pid = vm.task?.pid ?? 0
        const parts = without(frameOf('kvm', vm.address, 'mm'))
        const [same] = parts.task(pid).vms
        assert.equal(same?.mmAddress, vm.mmAddress)
        assert.match(same.salvaged.join(), /has the notifier of this virtual machine/)
      }
    })

    it('finds a virtual machine by its memory while the files of its process are missing', () => {
      for (const vm of whole.vms()) {
        const { task } = vm
        assert.ok(task)
        const parts = without(frameOf('files_struct', task.filesAddress, 'fdt'))
        const [same] = parts.task(task.pid).vms
        assert.equal(same?.address, vm.address)
        assert.match(same.salvaged.join(), /on vm_list by its memory/)
      }
    })

    it('finds tasks behind one that is missing, and says that there are others', () => {
      const first = whole.task(truth.vms[0]?.pid ?? 0)
      const gone = ['tasks', 'pid'].map((member) => frameOf('task_struct', first.address, member))
      const parts = without(...gone)
      const last = whole.task(truth.vms.at(-1)?.pid ?? 0)
      // Slabs hold several tasks.
      const isGone = ['tasks', 'pid', 'mm', 'files', 'comm'].some((member) =>
        gone.includes(frameOf('task_struct', last.address, member)),
      )
      if (!isGone) assert.equal(parts.task(last.pid).address, last.address)
      assert.throws(() => parts.task(first.pid), /was taken away/)
    })

    // With SeaBIOS the guest with a VGA card sees less in address space 0 than in that of system management mode.
    it('never takes memory of system management mode for the guest', () => {
      for (const vm of whole.vms()) {
        const pid = vm.task?.pid ?? 0
        for (const slot of vm.memslots) {
          const parts = without(frameOf('kvm_memory_slot', slot.address, 'base_gfn'))
          const same = parts.task(pid).vms[0]
          assert.ok(same)
          for (const gpa of [0x9f000, 0xa0000, 0xbf000, 0xc0000, 0xff000, 0x100000]) {
            const wanted = qemuVtop(vm, gpa)
            const given = answer(() => qemuVtop(same, gpa))
            if (typeof given === 'string') assert.match(given, /was taken away/)
            else assert.deepEqual([given.state, given.hva], [wanted.state, wanted.hva])
          }
        }
      }
    })
  })
}

/** An answer, or why there is none. */
function answer(ask: () => Translation): Translation | string {
  try {
    const given = ask()
    return given.state === 'not-in-dump' ? given.reason : given
  } catch (error) {
    assert.ok(error instanceof FaultError)
    return error.message
  }
}
