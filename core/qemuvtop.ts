// SPDX-License-Identifier: GPL-2.0-or-later
// The main job: qemuVtop and pagewalk, with arguments as a cell writes them.

import { hex, parseAddress } from './bytes/hex.ts'
import { printable } from './bytes/printable.ts'
import { DumpError, TaskError, UsageError } from './errors.ts'
import { Vm } from './kvm/vm.ts'
import { Task } from './linux/task.ts'
import { type PageWalk } from './paging/walk.ts'
import { translate, type Translation } from './translate/translate.ts'

/** So many other processes are named in an error. */
const MOST_NAMES = 5

/** The highest guest physical address of x86-64 has 52 bits. */
const GPA_END = 1n << 52n

/**
 * Translates a guest physical address (gpa) of a KVM guest to the host virtual (hva) and host physical (hpa) one.
 * `subject` is the VMM's task (`dump.task(pid)`) or one virtual machine (`dump.vm('web01')`). The gpa may be a number,
 * a bigint, or hex text with or without `0x`.
 *
 * An address without a page is an answer too: see `state` and `reason`. Throws TaskError when the task has no virtual
 * machine, or several (then choose: `qemuVtop(task.vms[0], gpa)`), and UsageError for what is no address.
 */
export function qemuVtop(subject: Task<Vm> | Vm, gpa: bigint | number | string): Translation {
  return translate(vmOf(subject), gpaOf(gpa))
}

/**
 * Walks the page tables of a task, or of a virtual machine's VMM, for one virtual address of the process.
 * Every entry is kept. Never throws for an address that is not mapped: see `end`.
 */
export function pagewalk(subject: Task<Vm> | Vm, address: bigint | number | string): PageWalk {
  const at = parseAddress(address)
  if (at === undefined) throw noAddress('pagewalk(task, address)', address)
  if (subject instanceof Vm) return subject.userSpace.walk(at)
  checkTask(subject, 'pagewalk(task, address)')
  return subject.userSpace.walk(at)
}

function vmOf(subject: Task<Vm> | Vm): Vm {
  if (subject instanceof Vm) return subject
  checkTask(subject, 'qemuVtop(task, gpa)')
  const [vm, another] = subject.vms
  if (vm === undefined) {
    const who = `(pid:${subject.pid} task:${subject.address.toString(16)})`
    throw new TaskError('not-a-vmm', `task${who} is not a qemu process; ${vmmsBeside(subject)}`)
  }
  if (another !== undefined) {
    // One process, one command line: a name would not tell them apart.
    const all = subject.vms
      .map(({ address }, i) => `task.vms[${i}] is kvm ${hex(address)}`)
      .join(', ')
    throw new TaskError(
      'several-vms',
      `task ${subject.pid} has ${subject.vms.length} virtual machines (${all}): pass one of them, qemuVtop(task.vms[0], gpa)`,
    )
  }
  return vm
}

/** The first processes that have virtual machines, to choose from instead. */
function vmmsBeside(task: Task<Vm>): string {
  const names: string[] = []
  try {
    for (const process of Task.allOf(task).processes()) {
      if (!hasVms(process)) continue
      if (names.push(`${process.pid} (${printable(process.comm)})`) > MOST_NAMES) break
    }
  } catch (error) {
    // The task list has an end that cannot be read: those before it are still there.
    if (!(error instanceof DumpError)) throw error
  }
  if (names.length === 0) return 'no process of this dump has a virtual machine'
  const more = names.length > MOST_NAMES ? ' and others' : ''
  return `those that have virtual machines: pid ${names.slice(0, MOST_NAMES).join(', ')}${more}`
}

function hasVms(process: Task<Vm>): boolean {
  try {
    return process.vms.length > 0
  } catch (error) {
    if (!(error instanceof DumpError)) throw error
    return false
  }
}

function checkTask(subject: unknown, call: string): void {
  if (subject instanceof Task) return
  throw new UsageError(`${call}: the first argument is ${describe(subject)}; wanted dump.task(pid)`)
}

function gpaOf(value: bigint | number | string): number {
  const gpa = parseAddress(value)
  if (gpa === undefined) throw noAddress('qemuVtop(task, gpa)', value)
  if (gpa >= GPA_END) {
    throw new UsageError(
      `qemuVtop(task, gpa): ${hex(gpa)} has more than the 52 bits of a guest physical address`,
    )
  }
  return Number(gpa)
}

function noAddress(call: string, value: unknown): UsageError {
  return new UsageError(
    `${call}: ${describe(value)} is no address; wanted a number, a bigint, or hex text such as '0x34de5840'`,
  )
}

function describe(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (typeof value === 'object' && value !== null) return `a ${value.constructor.name}`
  return typeof value === 'function' ? 'a function' : String(value)
}
