// SPDX-License-Identifier: GPL-2.0-or-later
// vCPUs: one with its registers, many as a table.

import { hex } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { DumpError } from '../errors.ts'
import { registerNames, type Registers } from '../kvm/registers.ts'
import { type Block, type Cell, type TableBlock, type View, type ViewOptions } from './block.ts'
import { count, has, left, readCell, right, rowsOf } from './table.ts'
import { textOf } from './text.ts'

/** What is shown of a vCPU. */
export interface VcpuSummary {
  readonly index: number
  readonly id: number
  /** The address of its `struct kvm_vcpu`. */
  readonly address: bigint
  readonly cpu: number | null
  readonly mode: string | null
  readonly runState: string | null
  readonly thread: { readonly pid: number; readonly comm: string } | null
  readonly registers: Registers
}

/** True for a vCPU. */
export function isVcpu(value: object): value is VcpuSummary {
  return has(value, 'index', 'id', 'address', 'cpu', 'mode', 'runState', 'thread', 'registers')
}

/** One vCPU. */
export function vcpuView(vcpu: VcpuSummary): View {
  const registers = registersOf(vcpu)
  const blocks: Block[] = [
    {
      kind: 'fields',
      caption: `vCPU ${vcpu.id}`,
      fields: [
        { name: 'struct kvm_vcpu', value: hex(vcpu.address) },
        { name: 'thread', value: readCell(() => threadOf(vcpu)) },
        { name: 'mode', value: readCell(() => modeOf(vcpu)) },
        { name: 'state', value: readCell(() => vcpu.runState) },
        ...(registers === null
          ? []
          : registerNames.map((name) => ({ name, value: valueOf(registers[name]) }))),
      ],
    },
    ...(registers === null || registers.segments.length === 0 ? [] : [segmentsTable(registers)]),
    ...(registers?.remarks ?? ['its registers cannot be read from this dump']).map(noteOf),
  ]
  return { text: textOf(blocks), blocks, charts: [] }
}

/** Many vCPUs. */
export function vcpusView(vcpus: readonly VcpuSummary[], options: ViewOptions = {}): View {
  const rule = { most: 20, head: 15, tail: 5, all: 'show(vm.vcpus, { rows: Infinity })' }
  const lost = has(vcpus, 'lost') ? (vcpus as { lost?: readonly string[] }).lost : undefined
  const remarks = vcpus.flatMap((vcpu) => registersOf(vcpu)?.remarks ?? [])
  const blocks: Block[] = [
    {
      kind: 'table',
      caption: count(vcpus.length, 'vCPU'),
      remark: null,
      columns: [
        right('id'),
        right('thread'),
        left('comm'),
        right('CPU'),
        left('mode'),
        left('state'),
        right('rip'),
        right('rsp'),
        right('cr3'),
      ],
      ...rowsOf(vcpus, rule, options, (vcpu) => {
        const registers = registersOf(vcpu)
        return [
          vcpu.id.toString(),
          readCell(() => vcpu.thread?.pid.toString() ?? null),
          readCell(() => vcpu.thread && printable(vcpu.thread.comm)),
          readCell(() => vcpu.cpu?.toString() ?? null),
          readCell(() => vcpu.mode),
          readCell(() => vcpu.runState),
          ...(['rip', 'rsp', 'cr3'] as const).map((name) => valueOf(registers?.[name] ?? null)),
        ]
      }),
    },
    ...(lost ?? []).map((text) => noteOf(`cannot be read: ${text}`)),
    ...[...new Set(remarks)].map(noteOf),
  ]
  return { text: textOf(blocks), blocks, charts: [] }
}

function segmentsTable({ segments, cpl }: Registers): TableBlock {
  return {
    kind: 'table',
    caption: 'segments',
    remark: cpl === null ? null : `privilege level ${cpl}`,
    columns: [left('name'), right('selector'), right('base'), right('limit'), right('attributes')],
    rows: segments.map(({ name, selector, base, limit, attributes }) => [
      name,
      ...[selector, base, limit, attributes].map((value) => hex(value)),
    ]),
    cut: null,
  }
}

function registersOf(vcpu: VcpuSummary): Registers | null {
  try {
    return vcpu.registers
  } catch (error) {
    if (!(error instanceof DumpError)) throw error
    return null
  }
}

function valueOf(value: bigint | null): Cell {
  return value === null ? null : hex(value)
}

function threadOf({ thread }: VcpuSummary): Cell {
  return thread === null ? null : `${thread.pid} ${printable(thread.comm)}`
}

function modeOf({ mode, cpu }: VcpuSummary): Cell {
  if (mode === null) return null
  return cpu === null ? mode : `${mode}, last on CPU ${cpu}`
}

function noteOf(text: string): Block {
  return { kind: 'note', text: printable(text, 1000) }
}
