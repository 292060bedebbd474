// SPDX-License-Identifier: GPL-2.0-or-later
// Virtual machines: one with its memslots and their map, many as a table.

import { formatSize, hex } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { DumpError } from '../errors.ts'
import { type Memslot } from '../kvm/memslots/memslot.ts'
import { type Block, type Cell, type TableBlock, type View, type ViewOptions } from './block.ts'
import { slotMapsOf } from './counted.ts'
import { guestMemory, lostRemark, memslotsTable, salvageNotes } from './memslots.ts'
import { count, has, left, readCell, right, rowsOf } from './table.ts'
import { textOf } from './text.ts'

/** What is shown of a virtual machine. */
export interface VmSummary {
  /** The address of its `struct kvm`. */
  readonly address: bigint
  /** From the VMM's command line; null where the dump does not hold it. */
  readonly name: string | null
  readonly uuid: string | null
  /** The VMM's process, or null when it is gone. */
  readonly task: { readonly pid: number; readonly comm: string } | null
  readonly memslots: readonly Memslot[]
  readonly vcpus?: { readonly length: number; readonly lost: readonly string[] }
  readonly usersCount?: number | null
  /** The pid of the process that made it. */
  readonly creatorPid?: number | null
  /** How it was found in a dump with missing pages, one sentence each. */
  readonly salvaged?: readonly string[]
}

/** True for a virtual machine. */
export function isVm(value: object): value is VmSummary {
  return has(value, 'address', 'name', 'uuid', 'task', 'memslots')
}

/** One virtual machine. */
export function vmView(vm: VmSummary, options: ViewOptions = {}): View {
  const slots = memslotsOf(vm)
  const blocks: Block[] = [
    {
      kind: 'fields',
      caption: `virtual machine ${nameOf(vm)}`,
      fields: [
        { name: 'uuid', value: readCell(() => vm.uuid && printable(vm.uuid)) },
        { name: 'process', value: readCell(() => processOf(vm)) },
        { name: 'struct kvm', value: hex(vm.address) },
        ...('vcpus' in vm ? [{ name: 'vCPUs', value: readCell(() => vcpuCount(vm)) }] : []),
        ...('usersCount' in vm
          ? [{ name: 'users', value: readCell(() => vm.usersCount?.toString() ?? null) }]
          : []),
      ],
    },
    slots === null
      ? { kind: 'note', text: 'its memslots cannot be read from this dump' }
      : memslotsTable(slots, options),
    ...(slots === null ? [] : salvageNotes(slots)),
    ...(vm.salvaged ?? []).map((how): Block => ({ kind: 'note', text: `salvaged: ${how}` })),
  ]
  return {
    text: textOf(blocks),
    blocks,
    get charts() {
      return slots === null ? [] : slotMapsOf(vm, [], true)
    },
  }
}

/** Many virtual machines. */
export function vmsView(vms: readonly VmSummary[], options: ViewOptions = {}): View {
  const blocks = vmsBlocks(vms, options)
  return { text: textOf(blocks), blocks, charts: [] }
}

/** Virtual machines as a table, and what is missing among them. */
export function vmsBlocks(vms: readonly VmSummary[], options: ViewOptions = {}): Block[] {
  const lost = has(vms, 'lost') ? (vms as { lost?: readonly string[] }).lost : undefined
  const notes = (lost ?? []).map((text): Block => ({
    kind: 'note',
    text: printable(`cannot be read: ${text}`, 1000),
  }))
  return [...(vms.length > 0 ? [vmsTable(vms, options)] : []), ...notes]
}

/** Virtual machines as a table. */
export function vmsTable(vms: readonly VmSummary[], options: ViewOptions = {}): TableBlock {
  const rule = { most: 20, head: 15, tail: 5, all: 'show(dump.vms, { rows: Infinity })' }
  return {
    kind: 'table',
    caption: count(vms.length, 'virtual machine'),
    remark: null,
    columns: [
      left('name'),
      right('pid'),
      left('comm'),
      right('memory'),
      right('slots'),
      right('struct kvm'),
      left('uuid'),
    ],
    ...rowsOf(vms, rule, options, (vm) => [
      readCell(() => vm.name && printable(vm.name)),
      readCell(() => vm.task?.pid.toString() ?? null),
      readCell(() => vm.task && printable(vm.task.comm)),
      readCell(() => formatSize(guestMemory(vm.memslots))),
      readCell(() => slotCount(vm.memslots)),
      hex(vm.address),
      readCell(() => vm.uuid && printable(vm.uuid)),
    ]),
  }
}

/** `7`, or `5 of 7` when two are missing. */
function slotCount(slots: readonly Memslot[]): string {
  const found = slots.filter((slot) => slot.addressSpace === 0).length
  const lost = lostRemark(slots)
  return lost === null ? found.toString() : `${found}, ${lost.replace(/ more.*/, ' lost')}`
}

/** `2`, or `0 of 2, the others cannot be read`: none is never said of those that are missing. */
function vcpuCount({ vcpus }: VmSummary): Cell {
  if (vcpus === undefined) return null
  const { length, lost } = vcpus
  if (lost.length === 0) return length.toString()
  return `${length} of ${length + lost.length}, the others cannot be read`
}

function processOf({ task, creatorPid }: VmSummary): Cell {
  if (task !== null) return `${task.pid} ${printable(task.comm)}`
  const gone = 'no process has its memory any more'
  return typeof creatorPid === 'number' ? `${gone}; ${creatorPid} made it` : gone
}

/** The name, or the address where there is none. */
function nameOf(vm: VmSummary): string {
  try {
    return vm.name === null ? hex(vm.address) : printable(vm.name)
  } catch (error) {
    if (!(error instanceof DumpError)) throw error
    return hex(vm.address)
  }
}

function memslotsOf(vm: VmSummary): readonly Memslot[] | null {
  try {
    return vm.memslots
  } catch (error) {
    if (!(error instanceof DumpError)) throw error
    return null
  }
}
