// SPDX-License-Identifier: GPL-2.0-or-later
// vCPUs: the processors of a virtual machine, each run by a thread of its VMM.

import { hex } from '../bytes/hex.ts'
import { CorruptError } from '../errors.ts'
import { type Damage, ifSound, isDamage, isGap } from '../linux/partial.ts'
import { type Task, type Tasks } from '../linux/task.ts'
import { XArrays } from '../linux/xarray.ts'
import { address, arrayLength, int, layout, optional, pointer } from '../types/layout.ts'
import { structView, type StructOf } from '../types/view.ts'
import { registerNames, type RegisterReader, registerReader, type Registers } from './registers.ts'

/** KVM_MAX_VCPUS of arch/x86/include/asm/kvm_host.h is at most 4096. */
const VCPU_LIMIT = 4096

// enum in include/linux/kvm_host.h.
const modes = ['outside guest', 'in guest', 'exiting guest', 'reading shadow tables'] as const
// KVM_MP_STATE_* of include/uapi/linux/kvm.h, as far as x86 has them.
const runStates: Readonly<Record<number, string>> = {
  0: 'runnable',
  1: 'uninitialized',
  2: 'INIT received',
  3: 'halted',
  4: 'SIPI received',
  9: 'AP reset hold',
}

/** The vCPUs of a virtual machine. What is missing is not enumerable: the list is an array like any other. */
export interface VcpuList<V> extends ReadonlyArray<Vcpu<V>> {
  /** vCPUs that cannot be read, one sentence each; empty for a whole dump. */
  readonly lost: readonly string[]
}

/** The vCPUs of one host's virtual machines. */
export class Vcpus<V> {
  readonly tasks: Tasks<V>
  readonly #kvm
  readonly #vcpu
  readonly #pid
  readonly #link: bigint
  readonly #xarrays: XArrays | undefined
  readonly #limit: number
  #registers: RegisterReader | undefined

  constructor(tasks: Tasks<V>) {
    this.tasks = tasks
    const { space, types } = tasks.host
    this.#kvm = layout(types, 'kvm', {
      online: int('online_vcpus'),
      // An XArray since 5.16, before an array of pointers.
      vcpus: address('vcpu_array', 'vcpus'),
    })
    this.#vcpu = layout(types, 'kvm_vcpu', {
      kvm: pointer('kvm'),
      id: int('vcpu_id'),
      cpu: int('cpu'),
      // Before 2.6.39 `guest_mode`, 0 or 1.
      mode: optional(int('mode', 'guest_mode')),
      runState: optional(int('arch.mp_state')),
      // The thread that ran it last, since 3.1.
      pid: optional(pointer('pid')),
    })
    this.#pid = layout(types, 'pid', {
      thread: pointer('tasks[0].first'),
      number: int('numbers[0].nr'),
    })
    const task = layout(types, 'task_struct', { link: address('pid_links[0]', 'pids[0].node') })
    this.#link = BigInt(task.offset('link'))
    const isArray = types.struct('kvm')?.member('vcpu_array') !== undefined
    this.#xarrays = isArray ? new XArrays(space, types) : undefined
    this.#limit = arrayLength(types, 'kvm', 'vcpus') ?? VCPU_LIMIT
  }

  /** The vCPUs of a `struct kvm` in the order of their creation. Throws when nobody can say how many there are, or when damage leaves none. */
  of(kvm: bigint): VcpuList<V> {
    const { space } = this.tasks.host
    const { online, vcpus } = this.#kvm.at(space, kvm)
    if (online < 0 || online > this.#limit) {
      const problem = `is ${online}, but KVM allows ${this.#limit}`
      throw new CorruptError('kvm.online_vcpus', kvm, problem)
    }
    const found: Vcpu<V>[] = []
    const lost: string[] = []
    let damage: Damage | undefined
    for (let index = 0; index < online; index++) {
      const vcpu = ifSound(() => {
        const at = this.#xarrays?.load(vcpus, index) ?? space.u64(vcpus + BigInt(index * 8))
        return this.#at(kvm, index, at)
      })
      if (isDamage(vcpu)) {
        lost.push(`vCPU ${index}: ${vcpu.message}`)
        if (!isGap(vcpu)) damage ??= vcpu
      } else found.push(vcpu)
    }
    if (damage !== undefined && found.length === 0) throw damage
    const list = Object.defineProperty(found, 'lost', { value: Object.freeze(lost) })
    return Object.freeze(list) as unknown as VcpuList<V>
  }

  #at(kvm: bigint, index: number, at: bigint): Vcpu<V> {
    if (at === 0n) throw new CorruptError('kvm.vcpus', kvm, `has no vCPU ${index}`)
    const record = this.#vcpu.at(this.tasks.host.space, at)
    if (record.kvm !== kvm) {
      throw new CorruptError('kvm_vcpu.kvm', at, `is ${hex(record.kvm)}, not ${hex(kvm)}`)
    }
    return new Vcpu(this, index, record)
  }

  /** @internal The task of a `struct pid`, or null when it has exited. */
  threadOf(pid: bigint): Task<V> | null {
    const { space } = this.tasks.host
    if (pid === 0n) return null
    const { thread, number } = this.#pid.at(space, pid)
    if (thread === 0n) return null
    const task = this.tasks.at(thread - this.#link)
    if (task.pid === number) return task
    throw new CorruptError('pid.tasks', pid, `leads to task ${task.pid}, but is pid ${number}`)
  }

  /** @internal */
  registersOf(vcpu: bigint, inGuest: boolean): Registers {
    this.#registers ??= registerReader(this.tasks.host)
    return this.#registers(vcpu, inGuest)
  }
}

interface VcpuRecord {
  readonly address: bigint
  readonly id: number
  readonly cpu: number
  readonly mode: number | undefined
  readonly runState: number | undefined
  readonly pid: bigint | undefined
}

/** A vCPU (`struct kvm_vcpu`). */
export class Vcpu<V> {
  /** Its place among the vCPUs of its virtual machine, from 0. */
  readonly index: number
  /** Its number as the VMM gave it: the APIC id. */
  readonly id: number
  /** The address of the `struct kvm_vcpu`. */
  readonly address: bigint
  readonly #vcpus: Vcpus<V>
  readonly #record: VcpuRecord

  /** @internal */
  constructor(vcpus: Vcpus<V>, index: number, record: VcpuRecord) {
    this.#vcpus = vcpus
    this.#record = record
    this.index = index
    this.id = record.id
    this.address = record.address
  }

  /** The host's CPU that it ran on last, or null when on none yet. */
  get cpu(): number | null {
    return this.#record.cpu < 0 ? null : this.#record.cpu
  }

  /** Where it was: `outside guest`, `in guest`, `exiting guest`, `reading shadow tables`; null in kernels that do not say. */
  get mode(): string | null {
    const { mode } = this.#record
    return mode === undefined ? null : (modes[mode] ?? `mode ${mode}`)
  }

  /** What it would do next: `runnable`, `halted`, `uninitialized` (an AP that was never started) and others. */
  get runState(): string | null {
    const { runState } = this.#record
    return runState === undefined ? null : (runStates[runState] ?? `state ${runState}`)
  }

  /** The thread that ran it last, or null when it never ran, the thread is gone, or the kernel does not say (before 3.1). */
  get thread(): Task<V> | null {
    return this.#vcpus.threadOf(this.#record.pid ?? 0n)
  }

  /** Its registers as far as KVM has them in memory, as the guest sees them. */
  get registers(): Registers {
    const { mode } = this.#record
    return this.#vcpus.registersOf(this.address, mode !== undefined && mode !== 0)
  }

  /** The raw `struct kvm_vcpu`. */
  get struct(): StructOf<'kvm_vcpu'> {
    const { types, space } = this.#vcpus.tasks.host
    return structView(types, space, 'kvm_vcpu', this.address)
  }

  /** Numbers, thread, state and registers, for JSON; registers in hex. */
  toJSON(): {
    index: number
    id: number
    vcpu: string
    thread: number | null
    cpu: number | null
    mode: string | null
    runState: string | null
    registers: Record<string, string | null>
    remarks: readonly string[]
  } {
    const { index, id, cpu, mode, runState, registers } = this
    const values = registerNames.map((name) => {
      const value = registers[name]
      return [name, value === null ? null : hex(value)] as const
    })
    return {
      ...{ index, id, vcpu: hex(this.address), thread: this.thread?.pid ?? null },
      ...{ cpu, mode, runState, registers: Object.fromEntries(values), remarks: registers.remarks },
    }
  }
}
