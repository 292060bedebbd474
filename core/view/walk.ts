// SPDX-License-Identifier: GPL-2.0-or-later
// A page walk: the address in its bits, and every entry that was read.

import { formatSize, hex } from '../bytes/hex.ts'
import { type PageWalk, type WalkEnd, type WalkStep } from '../paging/walk.ts'
import { bytesPerEntry } from '../paging/x86_64.ts'
import { type BitsBlock, type Block, type Part, type TableBlock, type View } from './block.ts'
import { entryBlock } from './entry.ts'
import { has, left, right } from './table.ts'
import { textOf } from './text.ts'
import { type Tone } from './tone.ts'

/** True for what `walk` and `pagewalk` give. */
export function isPageWalk(value: object): value is PageWalk {
  return has(value, 'address', 'steps', 'end')
}

/** A page walk on its own. */
export function walkView(walk: PageWalk): View {
  const blocks: Block[] = [
    {
      kind: 'answer',
      values: [
        { name: 'virtual', value: hex(walk.address), absent: false },
        { name: 'physical', ...physical(walk.end) },
      ],
    },
    { kind: 'line', parts: [{ text: describeEnd(walk.end) }] },
    ...walkBlocks(walk, 'address'),
  ]
  return { text: textOf(blocks), blocks, charts: [] }
}

/**
 * The bit ruler, the table of entries (open) and the bits of the last entry (closed). `state` is what a last entry in
 * the form of a swap entry says, where the caller knows it.
 */
export function walkBlocks(walk: PageWalk, name: string, state?: string): Block[] {
  const last = walk.steps.at(-1)
  if (last === undefined) return []
  return [
    bitsBlock(walk, last, name),
    { kind: 'details', summary: 'walk', open: true, blocks: [stepsTable(walk, state)] },
    { kind: 'details', summary: `${last.name} entry`, open: false, blocks: [entryBlock(last)] },
  ]
}

function physical(end: WalkEnd): { value: string; absent: boolean } {
  if (end.kind === 'page') return { value: hex(end.hpa), absent: false }
  return { value: end.kind === 'not-in-dump' ? '(not in dump)' : '(not mapped)', absent: true }
}

/** How a walk ended, in words. */
function describeEnd(end: WalkEnd): string {
  switch (end.kind) {
    case 'page':
      return `${formatSize(end.pageSize)} page${end.protNone ? ', PROT_NONE: the processor faults on it, Linux counts it as mapped' : ''}`
    case 'swap':
      return 'not present: the entry holds a swap entry or a special one'
    case 'empty':
      return 'not mapped: the entry is empty'
    case 'bad':
      return 'not mapped: the entry cannot be one of its level'
    case 'not-in-dump':
      return `cannot go on: the table at ${hex(end.table)} is not in the dump, ${end.missing.detail}`
    case 'non-canonical':
      return 'not canonical: the upper bits of the address are not all equal'
  }
}

/** A colour by level, to find it again in the table: it says nothing about the page. */
function toneOfLevel(level: number): Tone {
  const tones: readonly Tone[] = ['device', 'mapped 4K', 'mapped 2M', 'mapped 1G', 'not in dump']
  return tones[level - 1] ?? 'not touched'
}

function bitsBlock(walk: PageWalk, last: WalkStep, name: string): BitsBlock {
  const levels = walk.steps[0]?.level ?? 4
  const top = 12 + 9 * levels
  const address = BigInt.asUintN(64, walk.address)
  const sign = address >> BigInt(top)
  const offsetSize = bytesPerEntry(last.level)
  const offset = address % BigInt(offsetSize)
  const fields = walk.steps.map(({ level, index, name: table }) => ({
    bits: `${11 + 9 * level}:${3 + 9 * level}`,
    value: hex(index, 3),
    name: `${table} [${index}]`,
    tone: toneOfLevel(level),
  }))
  return {
    kind: 'bits',
    name: `bits of ${name}`,
    value: hex(walk.address),
    fields: [
      { bits: `63:${top}`, value: hex(sign, Math.ceil((64 - top) / 4)), name: 'sign', tone: null },
      ...fields,
      {
        bits: `${11 + 9 * (last.level - 1)}:0`,
        value: hex(offset),
        name: walk.end.kind === 'not-in-dump' ? 'not read' : `offset in ${formatSize(offsetSize)}`,
        tone: walk.end.kind === 'not-in-dump' ? null : 'swapped',
      },
    ],
  }
}

function stepsTable(walk: PageWalk, state: string | undefined): TableBlock {
  return {
    kind: 'table',
    caption: null,
    remark: null,
    columns: [
      left('level'),
      right('index'),
      right('entry at (hpa)'),
      right('value'),
      right('points to'),
      left('kind'),
      left('flags'),
    ],
    rows: walk.steps.map((step) => [
      { text: step.name, tone: toneOfLevel(step.level) },
      step.index.toString(),
      hex(step.entryAt),
      hex(step.value, 16),
      step.pointsTo === null ? null : hex(step.pointsTo),
      kindOf(step, state),
      step.flags.length === 0 ? null : step.flags.join('|'),
    ]),
    cut: null,
  }
}

function kindOf(step: WalkStep, state: string | undefined): string | Part {
  const size = formatSize(bytesPerEntry(step.level))
  switch (step.kind) {
    case 'page':
      return `${size} page`
    case 'prot-none':
      return `${size} PROT_NONE`
    case 'empty':
      return { text: 'empty', look: 'dim' }
    case 'swap':
      return state ?? 'swap entry'
    case 'table':
    case 'bad':
      return step.kind
  }
}
