// SPDX-License-Identifier: GPL-2.0-or-later
// Virtual machines of hosts written for the case: several in a task, passed on, torn down, with slots that do not count.

import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import { qemuVtop, TaskError, type HostDump } from '../../../core/index.ts'
import { host, type BuiltHost } from '../../build/linux.ts'
import { page } from '../../build/pagetable.ts'
import {
  guestHpa,
  guestHva,
  guestSlot,
  hostWithVms,
  smallHost,
  vmm,
  vmmPid,
  withDump,
} from '../../build/smallhost.ts'

const hexOf = (value: bigint | undefined) => `0x${(value ?? 0n).toString(16)}`

for (const format of ['kdump', 'elf'] as const) {
  for (const memslots of ['tree', 'array'] as const) {
    for (const vmas of ['maple', 'rbtree'] as const) {
      test(`a host with memslots in a ${memslots} and VMAs in a ${vmas} is read from a file of format ${format}`, () => {
        const hole = { id: 2, gpa: 0x100000000, pages: 0x100, hva: guestHva + 0x800000n, flags: 2 }
        const swaps = [{ path: '/dev/vda2', pages: 1000 }]
        const built = smallHost(
          { memslots, vmas, swaps },
          { vms: [{ slots: [hole, guestSlot], smm: [{ ...guestSlot, id: 1 }] }] },
        )
        withDump(
          built,
          (dump) => {
            const task = dump.task(vmmPid)
            const [vm] = task.vms
            assert.deepEqual(
              dump.tasks().map(({ pid, comm }) => [pid, comm]),
              [
                [0, 'swapper/0'],
                [1, 'systemd'],
                [vmmPid, 'qemu-system-x86'],
              ],
            )
            assert.deepEqual(
              task.threads.map(({ pid, tgid, comm }) => [pid, tgid, comm]),
              [
                [vmmPid, vmmPid, 'qemu-system-x86'],
                [vmmPid + 1, vmmPid, 'CPU 0/KVM'],
              ],
            )
            assert.deepEqual(
              task.files.map((file) => file.path),
              ['/dev/kvm', '/var/lib/web01.img', 'anon_inode:kvm-vm'],
            )
            assert.deepEqual(
              task.vmas.map(({ start, protection }) => [start, protection]),
              [
                [0x550000000000n, 'r--p'],
                [guestHva, 'rw-p'],
              ],
            )
            assert.deepEqual([vm?.name, vm?.uuid, vm?.task?.pid], ['web01', 'c0ffee', vmmPid])
            assert.deepEqual(dump.vms, task.vms)
            assert.deepEqual(
              vm?.memslots.map((slot) => [slot.addressSpace, slot.id, slot.gpa, slot.flags]),
              [
                [0, 0, 0, []],
                [0, 2, 0x100000000, ['READONLY']],
                [1, 1, 0, []],
              ],
            )
            assert.deepEqual(
              dump.swaps.map(({ path, kind, pages }) => [path, kind, pages]),
              [['/dev/vda2', 'partition', 1000]],
            )
            const answer = qemuVtop(task, 0x123)
            assert.equal(answer.hpa, guestHpa + 0x123)
            assert.equal(answer.page?.use, 'anon')
            // The raw structures are those of this kernel too, wherever it has its members.
            assert.equal(task.mm?.map_count, 2)
          },
          format,
        )
      })
    }
  }
}

describe('a task with two virtual machines', () => {
  const second = { id: 0, gpa: 0, pages: 0x10, hva: guestHva + 0x800000n }
  const built = smallHost(
    {},
    {
      vms: [{ slots: [guestSlot] }, { slots: [second] }],
      entries: [
        [guestHva, 1, page(guestHpa)],
        [second.hva, 1, page(0x18000000)],
      ],
    },
  )
  const kvms = built.task(vmmPid).vms.map(({ kvm }) => kvm)

  it('lists both in the order of their descriptors', () => {
    withDump(built, (dump) => {
      assert.deepEqual(
        dump.task(vmmPid).vms.map((vm) => vm.address),
        kvms,
      )
      assert.deepEqual(
        dump.vms.map((vm) => vm.address),
        kvms,
      )
    })
  })

  it('makes the caller choose, and says between what', () => {
    withDump(built, (dump) => {
      const [one, two] = kvms.map(hexOf)
      throwsTask(
        () => qemuVtop(dump.task(vmmPid), 0),
        'several-vms',
        `task ${vmmPid} has 2 virtual machines (task.vms[0] is kvm ${one ?? ''}, task.vms[1] is kvm ${two ?? ''}): ` +
          'pass one of them, qemuVtop(task.vms[0], gpa)',
      )
    })
  })

  it('answers for each', () => {
    withDump(built, (dump) => {
      const [one, two] = dump.task(vmmPid).vms
      assert.ok(one !== undefined && two !== undefined)
      assert.equal(qemuVtop(one, 0x10).hpa, guestHpa + 0x10)
      assert.equal(qemuVtop(two, 0x10).hpa, 0x18000010)
      assert.equal(qemuVtop(two, 0x10000).state, 'no-slot')
    })
  })
})

describe('the descriptor of a virtual machine that was passed to another process', () => {
  const built = host({
    tasks: [vmm(), { pid: 200, comm: 'broker', passed: [vmmPid] }],
    frames: [{ hpa: guestHpa }],
  })

  it('is a virtual machine of both, with the memory of the one that made it', () => {
    withDump(built, (dump) => {
      const [vm] = dump.task(200).vms
      assert.equal(vm?.address, built.task(vmmPid).vms[0]?.kvm)
      assert.equal(vm?.task?.pid, vmmPid)
      const answer = qemuVtop(dump.task(200), 0x40)
      assert.deepEqual([answer.hpa, answer.subject.pid], [guestHpa + 0x40, vmmPid])
    })
  })
})

/** In the words of the crash extension of 2012, letter by letter. */
const refusals: readonly {
  readonly name: string
  readonly built: () => BuiltHost
  readonly ask?: (dump: HostDump) => unknown
  readonly code: string
  readonly message: (built: BuiltHost) => string
}[] = [
  {
    name: 'a task that is no VMM',
    built: () => smallHost(),
    ask: (dump) => qemuVtop(dump.task(1), 0),
    code: 'not-a-vmm',
    message: (built) =>
      `task(pid:1 task:${built.task(1).task.toString(16)}) is not a qemu process; those that have virtual machines: pid 100 (qemu-system-x86)`,
  },
  {
    name: 'a file without a virtual machine',
    built: () => broken((built) => ['file', built.file, { private_data: 0n }]),
    code: 'no-vm',
    message: (built) =>
      `failed to get information of qemu process(pid:${vmmPid} task:${built.task(vmmPid).task.toString(16)})`,
  },
  {
    name: 'a virtual machine without memslots',
    built: () => broken((built) => ['kvm', built.kvm, { 'memslots[0]': 0n }]),
    code: 'no-memslots',
    message: () => 'failed to get information of KVM, please check whether KVM module is loaded',
  },
  {
    name: 'a virtual machine that is being torn down',
    built: () => broken((built) => ['kvm', built.kvm, { mm: 0n }]),
    code: 'no-vm',
    message: (built) =>
      `failed to get information of qemu process: the virtual machine at ${hexOf(built.task(vmmPid).vms[0]?.kvm)} ` +
      'is being torn down (its kvm.mm is 0)',
  },
  {
    name: 'a pid that no task has',
    built: () => smallHost(),
    ask: (dump) => dump.task(4711),
    code: 'no-such-task',
    message: () => 'invalid task or pid value: 4711',
  },
  {
    name: 'an address at which no task is',
    built: () => smallHost(),
    ask: (dump) => dump.task('ffff9a0002000000'),
    code: 'no-such-task',
    message: () => 'invalid task or pid value: ffff9a0002000000',
  },
]

describe('the words of the extension are said for', () => {
  for (const { name, built, ask, code, message } of refusals) {
    it(name, () => {
      const made = built()
      withDump(made, (dump) => {
        const question = ask ?? ((one: HostDump) => qemuVtop(one.task(vmmPid), 0))
        throwsTask(() => question(dump), code, message(made))
      })
    })
  }
})

/** Addresses that no memslot answers for. */
const unanswered: readonly {
  readonly name: string
  readonly built: () => BuiltHost
  readonly gpa: number
  readonly reason: string
}[] = [
  {
    name: 'between two slots',
    built: () => hostWithVms({ slots: [guestSlot, { ...guestSlot, id: 1, gpa: 0x10000000 }] }),
    gpa: 0x5000000,
    reason:
      '5000000 has not been allocated: no memslot holds it (slot 0 ends at 0xffffff, slot 1 begins at 0x10000000)',
  },
  {
    name: 'in a slot that is being deleted',
    built: () => hostWithVms({ slots: [{ ...guestSlot, id: 7, flags: 0x10000 }] }),
    gpa: 0x2000,
    reason: '2000 has not been allocated: its memslot 7 was being deleted or moved',
  },
  {
    name: 'in a slot that only the set of memslots has which is not in use',
    built: () =>
      hostWithVms({ slots: [guestSlot], stale: [{ ...guestSlot, id: 3, gpa: 0x2000000 }] }),
    gpa: 0x2000000,
    reason: '2000000 has not been allocated: no memslot holds it (slot 0 ends at 0xffffff)',
  },
  {
    name: 'in a slot that only system management mode has',
    built: () =>
      hostWithVms({ slots: [guestSlot], smm: [{ ...guestSlot, id: 9, gpa: 0x7f000000 }] }),
    gpa: 0x7f001000,
    reason:
      '7f001000 has not been allocated: only in system management mode (SMM) the guest has memory there, memslot 9',
  },
  {
    name: 'of a guest that has no memory yet',
    built: () => hostWithVms({ slots: [] }),
    gpa: 0,
    reason: '0 has not been allocated: no memslot holds it',
  },
]

describe('no slot matches an address', () => {
  for (const { name, built, gpa, reason } of unanswered) {
    it(name, () => {
      withDump(built(), (dump) => {
        const answer = qemuVtop(dump.task(vmmPid), gpa)
        assert.deepEqual(
          [answer.state, answer.hva, answer.hpa, answer.slot, answer.walk],
          ['no-slot', null, null, null, null],
        )
        assert.equal(answer.reason, reason)
        assert.equal(String(answer).split('\n')[0], `${gpa.toString(16)} has not been allocated`)
      })
    })
  }
})

/** A small host of which one structure of the virtual machine is changed. */
function broken(
  change: (vm: { kvm: bigint; file: bigint }) => [string, bigint, Record<string, bigint>],
): BuiltHost {
  const built = smallHost()
  const vm = built.task(vmmPid).vms[0]
  assert.ok(vm)
  built.kernel.set(...change(vm))
  return built
}

function throwsTask(ask: () => unknown, code: string, message: string): void {
  assert.throws(ask, (error) => {
    assert.ok(error instanceof TaskError, String(error))
    assert.equal(error.message, message)
    assert.equal(error.code, code)
    return true
  })
}
