// SPDX-License-Identifier: GPL-2.0-or-later
// The main job: qemuVtop and pagewalk, with arguments as a cell writes them.

import { mappedPage } from './bulk/engine.ts'
import { type Addresses } from './bulk/input.ts'
import { guestPageCount, guestPages } from './bulk/pages.ts'
import { type TranslationTable } from './bulk/table.ts'
import { hpasOf, hvasOf, translateAll } from './bulk/vtop.ts'
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
export function qemuVtop(subject: Task<Vm> | Vm, gpa: bigint | number | string): Translation
/**
 * Translates many guest physical addresses at once, some 100 million a second: a BigUint64Array, a Float64Array, or any
 * list of numbers, bigints and hex texts. Gives a table with a row for each, in the same order, with columns as typed
 * arrays; what is no address has the state `invalid`. Only the page tables that are asked for are read, each once.
 * A BigUint64Array may become the column `gpa` as it is, without a copy: do not change it afterwards. Of millions of
 * addresses the columns are shared memory, since other threads help.
 */
export function qemuVtop(subject: Task<Vm> | Vm, gpas: Addresses): TranslationTable
export function qemuVtop(
  subject: Task<Vm> | Vm,
  gpas: bigint | number | string | Addresses,
): Translation | TranslationTable {
  if (isMany(gpas)) return translateAll(vmOf(subject), gpas, 'qemuVtop(task, gpas)')
  return translate(vmOf(subject), gpaOf(gpas, 'qemuVtop(task, gpa)'))
}

/** So many rows have 7.5 GB of columns. */
const MOST_PAGES = 2 ** 28

/**
 * Every page of a guest: a table with a row for each 4 KiB of its memslots, ascending by gpa. Its page tables are read
 * once, some 500,000 small pages a second out of a compressed dump, with progress; when it is stopped, `unfinished()`
 * has the rows that are done. Ten million rows need 280 MB.
 *
 * Throws UsageError for guests of more than 1 TiB: `vm.coverage()` counts those, `guestPages(vm)` gives their addresses
 * piece by piece.
 */
export function allPages(subject: Task<Vm> | Vm): TranslationTable {
  const vm = vmOf(subject)
  const count = guestPageCount(vm)
  if (count > MOST_PAGES) {
    throw new UsageError(
      `allPages(vm): ${vm.name ?? 'the guest'} has ${count.toLocaleString('en-US')} pages, which are too many for one table; vm.coverage() counts them, and for (const gpas of guestPages(vm)) qemuVtop(vm, gpas) takes them piece by piece`,
    )
  }
  const gpas = new BigUint64Array(count)
  let at = 0
  for (const some of guestPages(vm)) {
    gpas.set(some, at)
    at += some.length
  }
  return translateAll(vm, gpas, 'allPages(task)')
}

/** The host virtual addresses of many guest physical ones, in the same order; `NO_ADDRESS` where there is none. */
export function gpaToHva(subject: Task<Vm> | Vm, gpas: Addresses): BigUint64Array
/** The host virtual address of a guest physical one: memslots alone, no page table is read. Null in no memslot. */
export function gpaToHva(subject: Task<Vm> | Vm, gpa: bigint | number | string): bigint | null
export function gpaToHva(
  subject: Task<Vm> | Vm,
  gpas: bigint | number | string | Addresses,
): bigint | null | BigUint64Array {
  const vm = vmOf(subject)
  if (isMany(gpas)) return hvasOf(vm, gpas, 'gpaToHva(task, gpas)')
  const gpa = gpaOf(gpas, 'gpaToHva(task, gpa)')
  const slot = vm.slotOf(gpa)
  return slot === undefined ? null : slot.hva + BigInt(gpa - slot.gpa)
}

/** The host physical addresses of many host virtual ones, in the same order; `NO_ADDRESS` where nothing is mapped. */
export function hvaToHpa(subject: Task<Vm> | Vm, hvas: Addresses): BigUint64Array
/**
 * The host physical address of a host virtual one in the memory of a VMM: the page walk alone. Null when no page is
 * mapped there; `pagewalk` says why.
 */
export function hvaToHpa(subject: Task<Vm> | Vm, hva: bigint | number | string): number | null
export function hvaToHpa(
  subject: Task<Vm> | Vm,
  hvas: bigint | number | string | Addresses,
): number | null | BigUint64Array {
  const vm = vmOf(subject)
  if (isMany(hvas)) return hpasOf(vm, hvas, 'hvaToHpa(task, hvas)')
  const hva = parseAddress(hvas)
  if (hva === undefined) throw noAddress('hvaToHpa(task, hva)', hvas)
  return mappedPage(vm, hva)?.hpa ?? null
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

/** Anything but what one address can be written as. What is neither is told where it is read. */
function isMany(value: bigint | number | string | Addresses): value is Addresses {
  return typeof value === 'object'
}

function gpaOf(value: bigint | number | string, call: string): number {
  const gpa = parseAddress(value)
  if (gpa === undefined) throw noAddress(call, value)
  if (gpa >= GPA_END) {
    throw new UsageError(
      `${call}: ${hex(gpa)} has more than the 52 bits of a guest physical address`,
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
