// SPDX-License-Identifier: GPL-2.0-or-later
// What backs a guest's memory: what it is made of, each memslot as a bar, and the charts.

import { formatSize, hex } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { Coverage, type SlotCoverage } from '../kvm/coverage.ts'
import { slotName } from '../kvm/memslots/memslot.ts'
import { groupShares, type Share } from '../kvm/share.ts'
import {
  type Bar,
  type Block,
  type Cell,
  type TableBlock,
  type View,
  type ViewOptions,
} from './block.ts'
import { type Chart } from './chart.ts'
import { extentBarsOf } from './extentbars.ts'
import { heatMapOf } from './heatmap.ts'
import { nodeBarsOf } from './nodebars.ts'
import { lostRemark } from './memslots.ts'
import { coverageBarsOf, percent, tonesOf } from './sharebars.ts'
import { slotMapOf } from './slotmap.ts'
import { count, has, left, right, rowsOf } from './table.ts'
import { textOf } from './text.ts'
import { toneOf } from './tone.ts'

/** True for what `vm.coverage()` gives. */
export function isCoverage(value: object): value is Coverage {
  return value instanceof Coverage
}

/** True for one memslot of it. */
export function isSlotCoverage(value: object): value is SlotCoverage {
  return has(value, 'slot', 'shares', 'extents', 'bytes')
}

/** Tables of what there is, and what is wrong; the charts are made when they are asked for. */
export function coverageView(coverage: Coverage, options: ViewOptions = {}): View {
  const blocks: Block[] = [
    ...(coverage.bytes > 0 ? [kindsTable(coverage)] : []),
    ...factsOf(coverage),
    { ...slotsTable(coverage.slots, options), remark: lostRemark(coverage) },
    ...coverage.remarks.map((text): Block => ({ kind: 'note', text: printable(text, 1000) })),
  ]
  return {
    text: textOf(blocks),
    blocks,
    get charts() {
      return chartsOf(coverage)
    },
  }
}

/** Memslots on their own. */
export function slotCoveragesView(slots: readonly SlotCoverage[], options: ViewOptions = {}): View {
  const blocks = [slotsTable(slots, options)]
  return { text: textOf(blocks), blocks, charts: [] }
}

/** Slots of which only a part was counted are drawn as if they were that part. */
export function drawnSlots({ slots }: Coverage) {
  return slots.map(({ slot, gpa, bytes, shares }) => ({
    slot: {
      ...slot,
      gpa,
      baseGfn: gpa / 4096,
      size: bytes,
      npages: bytes / 4096,
      hva: slot.hva + BigInt(gpa - slot.gpa),
    },
    shares,
  }))
}

function chartsOf(coverage: Coverage): Chart[] {
  if (coverage.bytes === 0) return []
  const map = slotMapOf({ slots: drawnSlots(coverage), marked: [], from: coverage.from })
  const others = [
    coverageBarsOf(coverage),
    nodeBarsOf(coverage),
    heatMapOf(coverage),
    extentBarsOf(coverage.extents),
  ]
  return [map, ...others.filter((chart) => chart !== undefined)]
}

/** Bytes by state, page size and kind, most first. */
function kindsTable(coverage: Coverage): TableBlock {
  const groups = coverage.groupBy('state', 'pageSize', 'kind')
  const partOf = (one: (typeof groups)[number]) =>
    coverage.shares.filter(
      ({ state, pageSize, kind }) =>
        state === one.state && pageSize === one.pageSize && kind === one.kind,
    )
  const sizeOf = (shares: readonly Share[]): Cell => {
    const bytes = shares.reduce((sum, share) => sum + share.bytes, 0)
    return bytes === 0 ? null : formatSize(bytes)
  }
  const who = coverage.name === null ? 'the guest' : `guest ${printable(coverage.name)}`
  const isPart = coverage.from > 0 || coverage.to < 2 ** 52
  const range = isPart ? `, gpa ${hex(coverage.from)} to ${hex(coverage.to - 1)}` : ''
  return {
    kind: 'table',
    caption: `what backs ${who}: ${formatSize(coverage.bytes)}${range}`,
    remark: null,
    columns: [
      ...[left('state'), left('kind'), right('page'), right('bytes'), right('share')],
      ...[right('PROT_NONE'), right('content in dump')],
    ],
    rows: groups.map((one) => {
      const { state = 'unmapped', kind = null, pageSize = null, bytes } = one
      const shares = partOf(one)
      return [
        { text: state, tone: toneOf(state, pageSize) },
        kind,
        pageSize === null ? null : formatSize(pageSize),
        formatSize(bytes),
        percent(bytes / coverage.bytes),
        sizeOf(shares.filter(({ protNone }) => protNone)),
        state === 'mapped' ? (sizeOf(shares.filter(({ inDump }) => inDump)) ?? 'none') : null,
      ]
    }),
    cut: null,
  }
}

function factsOf(coverage: Coverage): Block[] {
  const mapped = coverage.shares.filter(({ state }) => state === 'mapped')
  const bytes = mapped.reduce((sum, share) => sum + share.bytes, 0)
  if (bytes === 0) return []
  const large = coverage.extents.filter(({ from }) => from >= 2 ** 21)
  const inLarge = large.reduce((sum, extent) => sum + extent.bytes, 0)
  const nodes = groupShares(mapped, ['node']).map(({ node, bytes: onNode }) => {
    const where = node === null || node === undefined ? 'not known' : `node ${node}`
    return `${where} ${formatSize(onNode)}`
  })
  const fields = [
    { name: 'mapped', value: `${formatSize(bytes)}, ${percent(bytes / coverage.bytes)}` },
    ...(coverage.hasPages ? [{ name: 'NUMA', value: nodes.join(', ') }] : []),
    {
      name: 'contiguous',
      value: `${percent(inLarge / bytes)} of what is mapped is in runs of 2 MiB and more`,
    },
  ]
  return [{ kind: 'fields', caption: null, fields }]
}

function slotsTable(slots: readonly SlotCoverage[], options: ViewOptions): TableBlock {
  const rule = { most: 20, head: 15, tail: 5, all: 'show(vm.coverage().slots, { rows: Infinity })' }
  const bytes = slots.reduce((sum, slot) => sum + slot.bytes, 0)
  return {
    kind: 'table',
    caption: `${count(slots.length, 'memslot')}, ${formatSize(bytes)}`,
    remark: null,
    columns: [right('slot'), right('first gpa'), right('size'), left('bytes by state')],
    ...rowsOf(slots, rule, options, ({ slot, gpa, bytes: size, shares }) => [
      slot.salvaged === undefined ? slotName(slot) : `${slotName(slot)} (salvaged)`,
      hex(gpa),
      formatSize(size),
      barOf(shares, size),
    ]),
  }
}

/** From good to bad, as in the legend of the slot map. */
function barOf(shares: readonly Share[], size: number): Bar | null {
  const pieces = tonesOf(shares)
  if (pieces.length === 0) return null
  return {
    bar: pieces.map(({ tone, count: bytes }) => ({ tone, share: bytes / size })),
    text: pieces.map(({ tone, count: bytes }) => `${tone} ${formatSize(bytes)}`).join(', '),
  }
}
