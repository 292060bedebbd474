// SPDX-License-Identifier: GPL-2.0-or-later
// Every frame behind the guests of a host, noted once: which virtual machine has it, and where in it.

import { printable } from '../bytes/printable.ts'
import { DumpError } from '../errors.ts'
import { type Memslot, slotName } from '../kvm/memslots/memslot.ts'
import { type Vm } from '../kvm/vm.ts'
import { withProgress } from '../progress.ts'
import { MappedFrames } from './mappedframes.ts'
import { noteRange, type Notes, tellMissing } from './noting.ts'

/** A run of guest memory: a memslot, or the part of one of address space 1 that address space 0 does not have. */
export interface GuestRun {
  readonly vm: Vm
  /** The number of the virtual machine in `vms`. */
  readonly vmNumber: number
  readonly slot: Memslot
  /** The virtual page number of its first page in the VMM, and its first guest frame. */
  readonly vpn: number
  readonly gfn: number
  readonly count: number
}

/** The frames behind the guests. */
export interface GuestFrames extends Notes {
  readonly vms: readonly Vm[]
  readonly runs: readonly GuestRun[]
}

/** The guest physical address of a page of a run. */
export function gpaOf(run: GuestRun, vpn: number): number {
  return (vpn - run.vpn + run.gfn) * 4096
}

/**
 * Reads the page tables of all guests. What cannot be read is told in `remarks`; the rest is there. Nothing is kept of
 * a build that is interrupted.
 */
export function noteGuests(vms: readonly Vm[], endPfn: number): GuestFrames {
  const remarks: string[] = []
  const runs = vms.flatMap((vm, number) => orRemark(remarks, vm, [], () => runsOf(vm, number)))
  const notes: GuestFrames = {
    vms,
    runs,
    remarks,
    frames: new MappedFrames(),
    special: new Map(),
    missing: new Map(),
  }
  for (const vm of vms) {
    const lost = orRemark(remarks, vm, 0, () => vm.memslots.lost.length)
    if (lost > 0) remarks.push(`${nameOf(vm)}: ${lost} memslots are not in the dump`)
  }
  const total = runs.reduce((sum, { count }) => sum + count, 0)
  const work = { label: "noting the guests' frames", unit: 'pages', total }
  return withProgress(work, (advance) => {
    for (const [number, run] of runs.entries()) {
      orRemark(remarks, run.vm, undefined, () => {
        const name = `${nameOf(run.vm)}, slot ${slotName(run.slot)}`
        if (run.slot.flags.includes('GUEST_MEMFD')) notePrivate(notes, run, number, name)
        const range = { number, name, vpn: run.vpn, count: run.count, isWhole: true }
        const { format } = run.vm.linux.swap
        noteRange(notes, run.vm.userSpace, format, range, endPfn, advance)
      })
    }
    tellMissing(notes)
    return notes
  })
}

/** `guest web01`, or `the guest of pid 183`. */
export function nameOf(vm: Vm): string {
  if (vm.name !== null) return `guest ${printable(vm.name)}`
  return vm.task === null ? 'a guest without a process' : `the guest of pid ${vm.task.pid}`
}

/** Gives `other` and a remark when the dump has not what is asked, or has it damaged. */
function orRemark<T>(remarks: string[], vm: Vm, other: T, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof DumpError)) throw error
    remarks.push(`${nameOf(vm)}: ${error.message}`)
    return other
  }
}

/** Slots of address space 1 mostly repeat those of 0: only what they have beyond them is noted again. */
function runsOf(vm: Vm, vmNumber: number): GuestRun[] {
  const slots = vm.memslots.filter((slot) => !slot.invalid && slot.npages > 0)
  const runs: GuestRun[] = []
  for (const slot of slots) {
    const first = { vpn: Number(slot.hva >> 12n), gfn: slot.baseGfn, count: slot.npages }
    let parts = [first]
    for (const other of slot.addressSpace === 0 ? [] : slots) {
      const isSame = other.hva - BigInt(other.gpa) === slot.hva - BigInt(slot.gpa)
      if (other.addressSpace !== 0 || !isSame) continue
      parts = parts.flatMap((part) => without(part, other.baseGfn, other.npages))
    }
    runs.push(...parts.map((part) => ({ vm, vmNumber, slot, ...part })))
  }
  return runs
}

type Part = Pick<GuestRun, 'vpn' | 'gfn' | 'count'>

function without({ vpn, gfn, count }: Part, from: number, npages: number): Part[] {
  const cut = (start: number, end: number): Part[] =>
    end > start ? [{ vpn: vpn + start - gfn, gfn: start, count: end - start }] : []
  const end = gfn + count
  return [
    ...cut(gfn, Math.min(end, Math.max(gfn, from))),
    ...cut(Math.max(gfn, Math.min(end, from + npages)), end),
  ]
}

/** Pages of guest_memfd are in no page table. */
function notePrivate(notes: Notes, run: GuestRun, number: number, name: string): void {
  const { frames, remarks } = notes
  let lost = 0
  let first = ''
  frames.beginRange(number)
  run.vm.scanPrivate(run.slot, run.gfn * 4096, run.count, {
    shared: () => undefined,
    own(gpa, pages, frame) {
      if (frame !== null) frames.add(run.vpn + gpa / 4096 - run.gfn, pages, frame, pages > 1)
    },
    lost(_gpa, pages, error) {
      if (lost === 0) first = error.message
      lost += pages
    },
  })
  if (lost > 0)
    remarks.push(`${name}: of ${lost} pages nobody knows whether they are private: ${first}`)
}
