// SPDX-License-Identifier: GPL-2.0-or-later
// Virtual machines: one with its memslots and their map, many as a table.

import { formatSize, hex } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { DumpError } from '../errors.ts'
import { type Memslot } from '../kvm/memslot.ts'
import { type Block, type Cell, type TableBlock, type View, type ViewOptions } from './block.ts'
import { slotMapsOf } from './counted.ts'
import { guestMemory, memslotsTable } from './memslots.ts'
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
      ],
    },
    slots === null
      ? { kind: 'note', text: 'its memslots cannot be read from this dump' }
      : memslotsTable(slots, options),
  ]
  return {
    text: textOf(blocks),
    blocks,
    get charts() {
      return slots === null ? [] : slotMapsOf(vm, [])
    },
  }
}

/** Many virtual machines. */
export function vmsView(vms: readonly VmSummary[], options: ViewOptions = {}): View {
  const block = vmsTable(vms, options)
  return { text: textOf([block]), blocks: [block], charts: [] }
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
      readCell(() => vm.memslots.filter((slot) => slot.addressSpace === 0).length.toString()),
      hex(vm.address),
      readCell(() => vm.uuid && printable(vm.uuid)),
    ]),
  }
}

function processOf({ task }: VmSummary): Cell {
  return task === null ? null : `${task.pid} ${printable(task.comm)}`
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
