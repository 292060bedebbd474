// SPDX-License-Identifier: GPL-2.0-or-later
// vCPUs: of the real dumps against what is known of their guests, and of hosts written for the case.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type HostDump, openDump, qemuVtop, type Vm, viewOf } from '../../../core/index.ts'
import { kernels, realDump } from '../../place.ts'
import { type Truth, truthOf } from '../../truth.ts'
import { host, type BuiltHost } from '../../build/linux.ts'
import { guestHpa, smallHost, vmm, vmmPid, withDump } from '../../build/smallhost.ts'
import { addVcpus } from '../../build/vcpus.ts'

/** The guest of the dumps waits for a letter from the serial port: it reads port COM1 + 5 over and over. */
const LINE_STATUS = 0x3fdn
/** It is loaded at 1 MiB, and has its page tables, its stack and nothing else below this. */
const GUEST_END = 0x110000n

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`vCPUs of the dump of ${kernel}`, { skip }, () => {
    let dump: HostDump
    let truth: Truth
    before(() => {
      dump = openDump(path)
      truth = truthOf(kernel)
    })
    after(() => {
      dump.close()
    })

    it('are run by the threads that QEMU made for them', () => {
      for (const { pid, threads } of truth.vms) {
        const wanted = threads
          .map(({ tid, comm }) => [/^CPU (\d+)\/KVM$/.exec(comm)?.[1], tid] as const)
          .flatMap(([index, tid]) => (index === undefined ? [] : [[Number(index), tid]]))
        const { vcpus } = dump.vm(pid)
        assert.deepEqual(
          vcpus.map((vcpu) => [vcpu.index, vcpu.thread?.pid]),
          wanted,
        )
        assert.deepEqual(vcpus.lost, [])
        assert.ok(vcpus.every((vcpu) => vcpu.thread?.tgid === pid && vcpu.id === vcpu.index))
      }
    })

    it('are outside of the guest, which was stopped, and only the first one was started', () => {
      for (const { vcpus } of dump.vms) {
        assert.deepEqual(
          vcpus.map(({ mode, runState }) => [mode, runState]),
          vcpus.map((_, i) => ['outside guest', i === 0 ? 'runnable' : 'halted']),
        )
      }
    })

    it('hold the virtual machine, beside its own descriptor', () => {
      for (const vm of dump.vms) assert.equal(vm.usersCount, vm.vcpus.length + 1)
    })

    it('have the registers of a program that reads the serial port in long mode', () => {
      for (const vm of dump.vms) {
        const [vcpu] = vm.vcpus
        assert.ok(vcpu)
        const { rax, rdx, rip, rsp, cr0, cr3, cr4, efer } = vcpu.registers
        assert.deepEqual([rdx, (rax ?? 0n) & 0x21n], [LINE_STATUS, 0x20n])
        for (const address of [rip, rsp, cr3]) {
          assert.ok(address !== null && address > 0x100000n && address < GUEST_END)
        }
        // PE and PG; PAE and OSFXSR; LME and LMA: what its start sets (guest.S).
        assert.deepEqual([(cr0 ?? 0n) & 0x80000001n, cr4, efer], [0x80000001n, 0x220n, 0x500n])
      }
    })

    it('have flags and segments where the dump has the types of kvm_amd, and else say why not', () => {
      for (const vm of dump.vms) {
        const { rflags, cpl, segments, remarks } = vm.vcpus[0]?.registers ?? assert.fail()
        if (dump.host.modules.types('kvm_amd') === undefined) {
          assert.deepEqual([rflags, cpl, segments], [null, null, []])
          assert.match(remarks.join(), /no types of module kvm_amd/)
          continue
        }
        assert.deepEqual([(rflags ?? 0n) & 0x202n, cpl, remarks], [2n, 0, []])
        const of = (name: string) => segments.find((segment) => segment.name === name)
        // Its table of three descriptors, and the second and third of them.
        assert.deepEqual([of('gdtr')?.limit, of('cs')?.selector, of('ss')?.selector], [23, 8, 16])
      }
    })

    // The others were taken without user pages.
    const keepsPages = kernel === '6.12'
    const lead = 'lead to the page tables and the code of the guest, where the dump keeps its pages'
    const check = () => {
      for (const vm of dump.vms) {
        const { cr3, rip } = vm.vcpus[0]?.registers ?? assert.fail()
        assert.ok(cr3 !== null && rip !== null)
        const bytes = (gpa: bigint, length: number) =>
          dump.readPhysical(qemuVtop(vm, gpa).hpa ?? assert.fail(), length)
        const entry = new DataView(bytes(cr3, 8).buffer).getBigUint64(0, true)
        // Its one entry leads to the page behind, present, writable, for users, and perhaps accessed.
        assert.equal(entry & ~0x20n, cr3 + 0x1007n)
        // `in %dx,%al` has been emulated, or is the next one.
        assert.ok(bytes(rip - 3n, 4).includes(0xec))
      }
    }
    if (keepsPages) it(lead, check)

    it('are shown as a table and one by one, and as JSON', () => {
      const vm = dump.vms.find(({ vcpus }) => vcpus.length > 1) ?? dump.vms[0]
      const [first] = vm?.vcpus ?? []
      assert.ok(vm && first)
      const thread = first.thread?.pid ?? assert.fail()
      assert.match(viewOf(vm.vcpus)?.text ?? '', new RegExp(`^\\d vCPUs?\n.*\\b${thread}\\b`, 's'))
      assert.match(viewOf(first)?.text ?? '', /^vCPU 0\n.*\nrdx +0x3fd\n/s)
      assert.match(viewOf(vm)?.text ?? '', /\nvCPUs +\d\nusers +\d\n/)
      const json = JSON.parse(JSON.stringify(first)) as {
        thread: number
        registers: { rdx: string }
      }
      assert.deepEqual([json.thread, json.registers.rdx], [thread, '0x3fd'])
    })
  })
}

describe('vCPUs of a host written for the case', () => {
  const withVcpus = (
    use: (vm: Vm, vcpus: bigint[], built: BuiltHost) => void,
    damage?: (built: BuiltHost, vcpus: bigint[]) => void,
  ) => {
    const built = smallHost()
    const members = { mode: 1, cpu: 3, 'arch.mp_state': 3, 'arch.regs_avail': 0xffff }
    const vcpus = addVcpus(built, vmmPid, [{ id: 4, pid: vmmPid, members }, { id: 9 }])
    damage?.(built, vcpus)
    withDump(built, (dump) => {
      use(dump.vms[0] ?? assert.fail(), vcpus, built)
    })
  }

  it('have a thread when they ever ran, and a CPU', () => {
    withVcpus((vm) => {
      assert.deepEqual(
        vm.vcpus.map((v) => [v.id, v.thread?.pid ?? null, v.cpu, v.mode, v.runState]),
        [
          [4, vmmPid, 3, 'in guest', 'halted'],
          [9, null, null, 'outside guest', 'runnable'],
        ],
      )
    })
  })

  it('have no thread once that has exited', () => {
    withVcpus(
      (vm) => {
        assert.equal(vm.vcpus[0]?.thread, null)
      },
      ({ kernel }, [vcpu = 0n]) => {
        kernel.set('pid', kernel.get('kvm_vcpu', vcpu, 'pid'), { 'tasks[0].first': 0n })
      },
    )
  })

  const damages: readonly (readonly [string, (b: BuiltHost, v: bigint[]) => void, RegExp])[] = [
    [
      'more of them than KVM allows',
      (b) => b.kernel.set('kvm', kvmOf(b), { online_vcpus: 17 }),
      /online_vcpus at .*: is 17, but KVM allows 16/,
    ],
    [
      'a pid that leads to another task',
      ({ kernel }, [v = 0n]) =>
        kernel.set('pid', kernel.get('kvm_vcpu', v, 'pid'), { 'numbers[0].nr': 7 }),
      /pid.tasks at .*: leads to task 100, but is pid 7/,
    ],
  ]
  for (const [name, damage, message] of damages) {
    it(`are refused with ${name}`, () => {
      withVcpus((vm) => {
        assert.throws(() => vm.vcpus.map(({ thread }) => thread), message)
      }, damage)
    })
  }

  const told: readonly (readonly [string, number, (b: BuiltHost, v: bigint[]) => void, RegExp])[] =
    [
      [
        'belongs to another virtual machine',
        0,
        ({ kernel }, [v = 0n]) => kernel.set('kvm_vcpu', v, { kvm: 0x1234n }),
        /^vCPU 0: kvm_vcpu.kvm at .*: is 0x1234, not /,
      ],
      [
        'is not there',
        1,
        (b) => b.kernel.set('kvm', kvmOf(b), { 'vcpus[1]': 0n }),
        /^vCPU 1: kvm.vcpus at .*: has no vCPU 1/,
      ],
      [
        'leads nowhere',
        1,
        (b) => b.kernel.set('kvm', kvmOf(b), { 'vcpus[1]': 0xdead000000000100n }),
        /^vCPU 1: .*0xdead000000000000: not a canonical address/,
      ],
    ]
  for (const [name, gone, damage, message] of told) {
    it(`are given beside one that ${name}`, () => {
      withVcpus((vm) => {
        assert.deepEqual(
          vm.vcpus.map(({ index }) => index),
          [1 - gone],
        )
        assert.match(vm.vcpus.lost.join(), message)
        assert.match(viewOf(vm.vcpus)?.text ?? '', new RegExp(`cannot be read: vCPU ${gone}`))
      }, damage)
    })
  }

  it('are told as lost where their page is missing, beside the others', () => {
    withVcpus(
      (vm) => {
        assert.deepEqual(
          vm.vcpus.map(({ id }) => id),
          [9],
        )
        assert.match(viewOf(vm)?.text ?? '', /vCPUs +1 of 2, the others cannot be read\n/)
        assert.match(vm.vcpus.lost.join(), /^vCPU 0: .*ffff9a00f0000000/)
      },
      (b) => b.kernel.set('kvm', kvmOf(b), { 'vcpus[0]': 0xffff9a00f0000000n }),
    )
  })
})

describe('a virtual machine without a process', () => {
  const gone = (built: BuiltHost) => {
    const { task } = built.task(vmmPid)
    built.kernel.set('task_struct', task, { mm: 0n, files: 0n })
    built.kernel.set('kvm', kvmOf(built), { userspace_pid: vmmPid, users_count: 1 })
    return built
  }

  it('is listed while its process exits, with memslots, and shown with who made it', () => {
    withDump(gone(smallHost()), (dump) => {
      const [vm] = dump.vms
      assert.deepEqual(
        [vm?.task, vm?.name, vm?.creatorPid, vm?.usersCount],
        [null, null, vmmPid, 1],
      )
      assert.deepEqual(dump.task(vmmPid).vms, [])
      assert.equal(vm?.memslots.length, 1)
      assert.match(
        viewOf(vm)?.text ?? '',
        /process +no process has its memory any more; 100 made it\n/,
      )
      assert.match(JSON.stringify(vm), /"pid":null/)
    })
  })

  it('is that of who was passed its descriptor, and its pages are still found by its memory', () => {
    const tasks = [vmm(), { pid: 200, comm: 'broker', passed: [vmmPid] }]
    withDump(gone(host({ tasks, frames: [{ hpa: guestHpa }] })), (dump) => {
      const [vm] = dump.task(200).vms
      assert.deepEqual([vm?.address, vm?.task], [dump.vms[0]?.address, null])
      const answer = qemuVtop(dump.task(200), 0x40)
      assert.deepEqual([answer.state, answer.hpa], ['mapped', guestHpa + 0x40])
    })
  })
})

const kvmOf = (built: BuiltHost) => built.task(vmmPid).vms[0]?.kvm ?? 0n
