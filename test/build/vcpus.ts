// SPDX-License-Identifier: GPL-2.0-or-later
// Writes the vCPUs of a virtual machine.

import { type Members } from './kernel.ts'
import { type BuiltHost } from './linux.ts'

export interface VcpuDescription {
  readonly id: number
  /** The pid of its thread, which must be a process here; without it the vCPU never ran. */
  readonly pid?: number
  /** Other members of `kvm_vcpu`, such as `arch.regs[16]`. */
  readonly members?: Members
}

/** Gives the first virtual machine of a process these vCPUs; gives their addresses. */
export function addVcpus(
  built: BuiltHost,
  owner: number,
  vcpus: readonly VcpuDescription[],
): bigint[] {
  const { kernel } = built
  const kvm = built.task(owner).vms[0]?.kvm ?? 0n
  kernel.set('kvm', kvm, { online_vcpus: vcpus.length, users_count: vcpus.length + 1 })
  return vcpus.map(({ id, pid, members = {} }, i) => {
    const vcpu = kernel.make('kvm_vcpu', { kvm, vcpu_id: id, cpu: -1, ...members })
    kernel.set('kvm', kvm, { [`vcpus[${i}]`]: vcpu })
    if (pid !== undefined) {
      const links = kernel.forms.era === 'today' ? 'pid_links[0]' : 'pids[0].node'
      const link = kernel.member('task_struct', built.task(pid).task, links)
      const struct = kernel.make('pid', { 'tasks[0].first': link, 'numbers[0].nr': pid })
      kernel.set('kvm_vcpu', vcpu, { pid: struct })
    }
    return vcpu
  })
}
