// SPDX-License-Identifier: GPL-2.0-or-later
// Virtual machines and memslots of the real dumps, against QEMU's own trace of what it told KVM.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type HostDump, openDump, qemuVtop, TaskError, UsageError } from '../../../core/index.ts'
import { kernels, realDump } from '../../place.ts'
import { type Truth, truthOf } from '../../truth.ts'

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`virtual machines of the dump of ${kernel}`, { skip }, () => {
    let dump: HostDump
    let truth: Truth
    before(() => {
      dump = openDump(path)
      truth = truthOf(kernel)
    })
    after(() => {
      dump.close()
    })

    it('are the same on the list of KVM and in the files of the tasks', () => {
      const listed = dump.vms.map((vm) => vm.address).sort()
      const held = dump
        .tasks()
        .flatMap((task) => task.vms)
        .map((vm) => vm.address)
      assert.deepEqual(held.sort(), listed)
      assert.equal(listed.length, truth.vms.length)
    })

    it('belong to the tasks that ran them', () => {
      const pids = dump.vms.map((vm) => vm.task?.pid).sort()
      assert.deepEqual(pids, truth.vms.map(({ pid }) => pid).sort())
      for (const { pid } of truth.vms) assert.equal(dump.vm(pid).task?.pid, pid)
    })

    it('have name and UUID where the dump keeps the command line', () => {
      for (const { pid, name, uuid } of truth.vms) {
        const [vm] = dump.task(pid).vms
        assert.ok(vm)
        assert.equal(vm.name, kernel === '6.12' ? name : null)
        assert.equal(vm.uuid, kernel === '6.12' ? uuid : null)
        if (kernel === '6.12') {
          assert.equal(dump.vm(name), vm)
          assert.equal(dump.vm(uuid), vm)
        }
      }
    })

    it('have the memslots of every address space that QEMU set', () => {
      for (const { pid, memslots } of truth.vms) {
        const [vm] = dump.task(pid).vms
        const found = vm?.memslots.map((slot) => ({
          address_space: slot.addressSpace,
          slot: slot.id,
          flags: slot.flagBits,
          gpa: slot.gpa,
          size: slot.size,
          hva: slot.hva,
          readonly: slot.flags.includes('READONLY'),
        }))
        const wanted = memslots.map((slot) => ({
          address_space: slot.address_space,
          slot: slot.slot,
          flags: slot.flags,
          gpa: parseInt(slot.gpa),
          size: parseInt(slot.size),
          hva: BigInt(slot.hva),
          readonly: slot.readonly,
        }))
        const order = (a: { address_space: number; gpa: number }, b: typeof a) =>
          a.address_space - b.address_space || a.gpa - b.gpa
        assert.deepEqual(found, wanted.sort(order))
      }
    })

    it('are told from what is none, in the words of the extension', () => {
      const init = dump.task(1)
      assert.throws(
        () => qemuVtop(init, 0),
        (error) => {
          assert.ok(error instanceof TaskError)
          // The old words, and then those to choose from.
          const vmms = truth.vms.map(({ pid, comm }) => `${pid} (${comm.slice(0, 15)})`)
          const wanted = `task(pid:1 task:${init.address.toString(16)}) is not a qemu process`
          const others = `those that have virtual machines: pid ${vmms.join(', ')}`
          assert.equal(error.message, `${wanted}; ${others}`)
          return true
        },
      )
    })

    it('take an address as a number, a bigint, or hex with and without 0x', () => {
      const task = dump.task(truth.vms[0]?.pid ?? 0)
      const wanted = qemuVtop(task, 0x200000).hpa
      for (const gpa of [0x200000n, '0x200000', '200000']) {
        assert.equal(qemuVtop(task, gpa).hpa, wanted)
      }
    })

    for (const gpa of [-1, 1.5, '', 'xyz', 2 ** 53, 1n << 52n]) {
      it(`refuse ${JSON.stringify(String(gpa))} as an address`, () => {
        assert.throws(() => qemuVtop(dump.task(truth.vms[0]?.pid ?? 0), gpa), UsageError)
      })
    }

    it('say what there is when asked for one that is not', () => {
      assert.throws(() => dump.vm('web01'), /no virtual machine for 'web01'; this host has: /)
    })
  })
}
