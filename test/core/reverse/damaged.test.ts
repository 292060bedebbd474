// SPDX-License-Identifier: GPL-2.0-or-later
// The way back on hosts whose structures contradict each other: what is sound is told, and what is not is named.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type HostDump, UsageError } from '../../../core/index.ts'
import { type BuiltHost, type BuiltTask } from '../../build/linux.ts'
import { page, swapEntry } from '../../build/pagetable.ts'
import { guestHpa, guestHva, smallHost, vmmPid, withDump } from '../../build/smallhost.ts'
import { type BuiltVm } from '../../build/vmm.ts'

const POISON = 0xdead000000000100n

/** Damage that does not hide the guest's first page; the remark that tells of it. */
const damages: readonly {
  readonly name: string
  readonly damage: (built: BuiltHost, task: BuiltTask, vm: BuiltVm) => unknown
  readonly remark: RegExp
  /** Where even the guest is lost. */
  readonly isLost?: boolean
}[] = [
  {
    name: 'a task list with a cycle',
    damage: ({ kernel }, { task }) => {
      kernel.set('task_struct', task, { 'tasks.next': kernel.member('task_struct', task, 'tasks') })
    },
    remark: /^the list of processes: task_struct\.tasks at 0x\w+: a cycle/,
  },
  {
    name: 'a task list that leads nowhere',
    damage: ({ kernel }, { task }) => kernel.set('task_struct', task, { 'tasks.next': POISON }),
    remark: /^the list of processes: .*0xdead/,
  },
  {
    name: 'a list of virtual machines that leads nowhere',
    damage: ({ kernel }, _task, { kvm }) => kernel.set('kvm', kvm, { 'vm_list.next': POISON }),
    remark: /^vm_list is damaged, in which there may be more virtual machines: .*0xdead/,
    isLost: false,
  },
  {
    name: 'a virtual machine without memory',
    damage: ({ kernel }, _task, { kvm }) => kernel.set('kvm', kvm, { mm: 0n }),
    remark: /torn down/,
    isLost: true,
  },
  {
    name: 'a page table that is its own parent',
    damage: (_built, { tables }) => {
      tables.set(guestHva - 0x8000000000n, 4, BigInt(tables.root) | 0x67n)
    },
    remark: /^$/,
  },
  {
    name: 'entries that name frames above all memory',
    damage: (_built, { tables }) => {
      tables.set(guestHva + 0x1000n, 1, page(0xff0000000000))
    },
    remark: /^the guest of pid 100|^guest web01, slot 0: 1 page-table entries name frames above/,
  },
]

describe('who has a frame of a damaged host', () => {
  for (const { name, damage, remark, isLost = false } of damages) {
    it(`is told with what is not known: ${name}`, () => {
      const built = smallHost()
      const task = built.task(vmmPid)
      const [vm] = task.vms
      assert.ok(vm)
      damage(built, task, vm)
      withDump(built, (dump) => {
        const who = dump.whoHas(guestHpa + 5)
        assert.deepEqual(
          who.guests.map(({ gpa }) => gpa),
          isLost ? [] : [5],
        )
        const { remarks } = dump.whoHas([guestHpa])
        assert.ok(
          remark.source === '^$' ? remarks.length === 0 : remarks.some((text) => remark.test(text)),
          remarks.join('; '),
        )
      })
    })
  }

  it('has the old frame of a page that was being moved', () => {
    const built = smallHost({}, { entries: [[guestHva, 1, migration]] })
    withDump(built, (dump) => {
      const [owner] = dump.whoHas(guestHpa).guests
      assert.equal(owner?.holding, 'migrating')
      assert.match(dump.whoHas(guestHpa).answer, /migrating/)
    })
  })

  it('refuses what is no address', () => {
    withDump(smallHost(), (dump: HostDump) => {
      assert.throws(() => dump.whoHas('pid 5'), UsageError)
      assert.throws(() => dump.whoHas(1n << 60n), UsageError)
      assert.deepEqual(
        [...dump.whoHas([-1, 'x', 1n << 60n]).kind].map((code) => code),
        [15, 15, 15],
      )
    })
  })
})

/** SWP_MIGRATION_READ is the second type above the devices'; frame of the guest's first page. */
const migration = swapEntry(28, guestHpa / 4096)
