// SPDX-License-Identifier: GPL-2.0-or-later
// The slot map: all memslots of a guest on one line, from 4 KiB to terabytes, with what became of their pages.

import { formatSize, hex } from '../bytes/hex.ts'
import { type Block } from './block.ts'
import { type SlotBox, type SlotMap, type SlotMapInput } from './chart.ts'
import { placeLabels } from './label.ts'
import { holeName } from './region.ts'
import { slotGroups, type SlotGroup } from './slotgroup.ts'
import { count, left, right } from './table.ts'
import { textOf } from './text.ts'
import { shareStates, type Tone, toneGlyphs } from './tone.ts'

const PIXELS = 660
/** A state with one page in a slot of gigabytes is still drawn this high. */
const LEAST = 0.025

/** Lays a slot map out. */
export function slotMapOf({ slots, marked, from = 0 }: SlotMapInput): SlotMap {
  const groups = slotGroups(slots, marked)
  const boxes: SlotBox[] = []
  const holes: SlotMap['holes'][number][] = []
  const edges: { at: number; gpa: number; weight: number }[] = []
  const stretches: Stretch[] = []
  let at = 0
  let end = from
  const hole = (until: number): void => {
    if (until <= end) return
    const to = round(at + 2 + 0.15 * Math.log2((until - end) / 4096))
    stretches.push({ gpa: end, end: until, from: at, to, isHole: true })
    const words = { gpa: range(end, until), size: formatSize(until - end) }
    holes.push({ from: at, to, ...words, name: holeName(end, until) })
    if (end > from) edges.push({ at, gpa: end, weight: 0 })
    at = to
  }
  for (const group of groups) {
    hole(group.gpa)
    const to = round(at + 1 + Math.log2(group.size / 4096))
    stretches.push({ gpa: group.gpa, end: group.end, from: at, to, isHole: false })
    boxes.push(boxOf(group, at, to))
    edges.push({ at, gpa: group.gpa, weight: group.size })
    at = to
    end = Math.max(end, group.end)
  }
  hole(Math.max(0, ...marked.map(({ gpa }) => (Math.floor(gpa / 4096) + 1) * 4096)))
  const total = groups.reduce((sum, group) => sum + group.bytes, 0)
  const slotCount = groups.reduce((sum, group) => sum + group.count, 0)
  // The line of a part begins where no label has room.
  const where = from > 0 ? ` from ${hex(from)}` : ''
  const title = `Guest physical memory${where} – ${count(slotCount, 'slot')}, ${formatSize(total)}`
  const marks = marked.map(({ gpa, label }) => ({ at: place(stretches, gpa), label }))
  const tones: readonly Tone[] = [...shareStates, 'not counted']
  const map = {
    chart: 'slot-map' as const,
    title,
    units: Math.max(at, 1),
    pixels: PIXELS,
    boxes,
    holes,
    labels: placeLabels(edges, Math.max(at, 1), PIXELS),
    marks,
    tones: tones.filter((tone) => boxes.some((box) => box.pieces.some((p) => p.tone === tone))),
  }
  return {
    ...map,
    description: describe(map, groups),
    text: `${title.replace('–', '-')}\n\n${lineOf(map)}\n\n${tableOf(map)}`,
  }
}

/** A stretch of guest addresses along the line. */
interface Stretch {
  readonly gpa: number
  readonly end: number
  readonly from: number
  readonly to: number
  readonly isHole: boolean
}

/** Where an address is on the line; in a hole, its middle. */
function place(stretches: readonly Stretch[], gpa: number): number {
  const found = stretches.find((stretch) => gpa >= stretch.gpa && gpa < stretch.end)
  if (found === undefined) return 0
  const part = found.isHole ? 0.5 : (gpa - found.gpa) / (found.end - found.gpa)
  return round(found.from + part * (found.to - found.from))
}

function boxOf(group: SlotGroup, from: number, to: number): SlotBox {
  const counted = group.shares ?? []
  const total = counted.reduce((sum, { bytes }) => sum + bytes, 0)
  const box = {
    from,
    to,
    name: group.name,
    purpose: group.purpose,
    gpa: range(group.gpa, group.end),
    hva: group.hva === null ? '-' : hex(group.hva),
    size: formatSize(group.bytes),
  }
  if (total === 0) {
    const whole = { bottom: 0, top: 1, tone: 'not counted' as const, share: '-' }
    return { ...box, mostly: 'not counted', pieces: [whole] }
  }
  const heights = counted.map(({ bytes }) => Math.max(bytes / total, LEAST))
  const sum = heights.reduce((a, b) => a + b, 0)
  let bottom = 0
  const pieces = counted.map(({ tone, bytes }, i) => {
    const top = i === counted.length - 1 ? 1 : round(bottom + (heights[i] ?? 0) / sum)
    const piece = { bottom, top, tone, share: percent(bytes / total) }
    bottom = top
    return piece
  })
  const most = counted.reduce((a, b) => (b.bytes > a.bytes ? b : a))
  return { ...box, mostly: most.tone, pieces }
}

/** One sentence that tells the picture. */
function describe(
  map: Pick<SlotMap, 'title' | 'marks' | 'tones'>,
  groups: readonly SlotGroup[],
): string {
  const last = groups.at(-1)
  const span = last === undefined ? '' : ` from ${hex(groups[0]?.gpa ?? 0)} to ${hex(last.end - 1)}`
  const colour = map.tones.includes('not counted') ? '' : ', colour is the state of the host pages'
  const marks = map.marks.map(({ label }) => ` Marked: ${label}.`).join('')
  return `${map.title}${span}. Slot width is logarithmic, holes are narrow dashed boxes${colour}.${marks}`
}

/** The line in 64 letters, one glyph for what lies there, with the marks below. */
function lineOf({
  units,
  boxes,
  marks,
  tones,
}: Pick<SlotMap, 'units' | 'boxes' | 'marks' | 'tones'>): string {
  const letters = Array.from({ length: 64 }, (_, i) => {
    const middle = ((i + 0.5) * units) / 64
    const box = boxes.find(({ from, to }) => from <= middle && middle < to)
    return toneGlyphs[box?.mostly ?? 'hole']
  })
  const lines = [letters.join('')]
  for (const { at, label } of marks) {
    const column = Math.min(63, Math.floor((at * 64) / units))
    lines.push(column < 40 ? `${' '.repeat(column)}^ ${label}` : `${label} ^`.padStart(column + 1))
  }
  const used: readonly Tone[] = [...tones, 'hole']
  const legend = used.map((tone) => ({ text: `${toneGlyphs[tone]} ${tone}` }))
  return [...lines, textOf([{ kind: 'line', parts: legend }])].join('\n')
}

/** The boxes as a table; the longest run of rows that fits a screen, and how many more. */
function tableOf({ boxes }: Pick<SlotMap, 'boxes'>): string {
  const shown = boxes.length <= 24 ? boxes : boxes.slice(0, 22)
  const rows = shown.map((box) => [box.name, box.gpa, box.size, box.mostly])
  const hidden = boxes.length - shown.length
  const table: Block = {
    kind: 'table',
    caption: null,
    remark: null,
    columns: [left('slot'), left('first gpa – last gpa'), right('size'), left('mostly')],
    rows,
    cut: hidden === 0 ? null : { after: shown.length, hidden, all: 'the table of memslots' },
  }
  return textOf([table])
}

function range(from: number, end: number): string {
  return `${hex(from)} – ${hex(end - 1)}`
}

function percent(part: number): string {
  if (part >= 0.9995 && part < 1) return '99.9 %'
  if (part > 0 && part < 0.0005) return '< 0.1 %'
  return `${(part * 100).toFixed(1)} %`
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
