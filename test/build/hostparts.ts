// SPDX-License-Identifier: GPL-2.0-or-later
// The parts of a host over any source of pages, without a file: what `openDump` makes of one.

import { type PageSource } from '../../core/dump/format.ts'
import { type Vm, type VmList, Vms } from '../../core/kvm/vm.ts'
import { Host, type TypeSource } from '../../core/linux/host.ts'
import { Linux } from '../../core/linux/linux.ts'
import { type Task, Tasks } from '../../core/linux/task.ts'
import { PhysicalMemory } from '../../core/space/physical.ts'

/** What a test asks of a host. */
export interface HostParts {
  readonly linux: Linux
  task(pid: number): Task<Vm>
  vms(): VmList
}

/** Opens a source; `typeSource` is where to look for what it does not tell itself. */
export function hostParts(source: PageSource, typeSource: TypeSource = {}): HostParts {
  const linux = new Linux(new Host(new PhysicalMemory(source), {}, typeSource))
  const tasks: Tasks<Vm> = new Tasks<Vm>(linux, (task) => finder().ofTask(task))
  let vms: Vms | undefined
  const finder = () => (vms ??= new Vms(tasks))
  return { linux, task: (pid) => tasks.find(pid), vms: () => finder().all() }
}
