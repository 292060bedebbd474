// SPDX-License-Identifier: GPL-2.0-or-later
// What the way back needs of one host, made when it is first asked for and kept.

import { DumpError, ifThere } from '../errors.ts'
import { type Vm, type VmList } from '../kvm/vm.ts'
import { type Linux } from '../linux/linux.ts'
import { type Tasks } from '../linux/task.ts'
import { type GuestFrames, noteGuests } from './guestframes.ts'
import { KernelKinds } from './kernelkinds.ts'
import { KernelPages } from './kernelpage.ts'
import { QuickKinds } from './quickkinds.ts'
import { type KnownProcesses, noteProcesses, type ProcessFrames } from './processframes.ts'

/** The indexes of one host. */
export class WayBack {
  readonly linux: Linux
  readonly #tasks: Tasks<Vm>
  readonly #vms: () => VmList
  #guests: GuestFrames | undefined
  #processes: ProcessFrames | undefined
  #kernel: KernelPages | undefined
  #kernelKinds: KernelKinds | undefined

  constructor(tasks: Tasks<Vm>, vms: () => VmList) {
    this.linux = tasks.linux
    this.#tasks = tasks
    this.#vms = vms
  }

  /** All frames of the host are below this number. */
  get endPfn(): number {
    return this.linux.host.memory.source.endPfn
  }

  /** The frames behind the guests. Reads all page tables of all guests, once; an interrupt leaves nothing. */
  get guests(): GuestFrames {
    if (this.#guests !== undefined) return this.#guests
    const { vms, lost } = this.#knownVms()
    const guests = noteGuests(vms, this.endPfn)
    guests.remarks.unshift(...lost)
    this.#guests = guests
    return guests
  }

  /** The frames that processes have mapped beside them. */
  get processes(): ProcessFrames {
    return (this.#processes ??= noteProcesses(
      this.#knownProcesses(),
      this.guests.runs,
      this.linux.swap.format,
      this.endPfn,
    ))
  }

  /** What a frame is to the kernel. */
  get kernel(): KernelPages {
    return (this.#kernel ??= new KernelPages(this.linux))
  }

  /** A damaged list of virtual machines leaves what processes and the kernel have. */
  #knownVms(): { readonly vms: readonly Vm[]; readonly lost: readonly string[] } {
    try {
      const vms = this.#vms()
      return { vms, lost: vms.lost }
    } catch (error) {
      if (!(error instanceof DumpError)) throw error
      return { vms: [], lost: [`the list of virtual machines: ${error.message}`] }
    }
  }

  /** What frames that nobody has mapped are, each looked up once. */
  get kernelKinds(): KernelKinds {
    return (this.#kernelKinds ??= new KernelKinds(this, new QuickKinds(this.linux)))
  }

  /** The list can be damaged in the middle: those before it are there. */
  #knownProcesses(): KnownProcesses {
    const tasks: KnownProcesses['tasks'][number][] = []
    try {
      const fault = ifThere(() => {
        for (const task of this.#tasks.processes()) tasks.push(task)
      })
      return {
        tasks,
        problem: fault === undefined ? null : `processes are missing: ${fault.message}`,
      }
    } catch (error) {
      if (!(error instanceof DumpError)) throw error
      return { tasks, problem: `the list of processes: ${error.message}` }
    }
  }
}
