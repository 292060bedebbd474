// SPDX-License-Identifier: GPL-2.0-or-later
// Bars of 100 %: the rows of a bulk translation, or the bytes of a guest, by state and page size, all and by slot.

import { type Group } from '../bulk/group.ts'
import { type TranslationTable } from '../bulk/table.ts'
import { formatSize } from '../bytes/hex.ts'
import { type Coverage } from '../kvm/coverage.ts'
import { slotName } from '../kvm/memslots/memslot.ts'
import { type Share } from '../kvm/share.ts'
import { type Block } from './block.ts'
import { type ShareBars } from './chart.ts'
import { count, left, right } from './table.ts'
import { textOf } from './text.ts'
import { shareStates, type Tone, toneOf } from './tone.ts'

/** So many slots have a bar of their own. */
const SLOTS = 12
const order: readonly Tone[] = [...shareStates, 'hole']

/** Lays the bars of a table out; one without rows has none. */
export function shareBarsOf(table: TranslationTable): ShareBars {
  const groups = table.groupBy('slot', 'state', 'pageSize')
  const rowsOfSlot = table.groupBy('slot').filter(({ slot }) => typeof slot === 'number')
  const bars = [
    { group: `all ${count(table.length, 'row')}`, parts: tallyOf(groups) },
    ...rowsOfSlot.slice(0, SLOTS).map(({ slot, count: rows }) => ({
      group: `slot ${slot ?? '?'}, ${count(rows, 'row')}`,
      parts: tallyOf(groups.filter((one) => one.slot === slot)),
    })),
  ]
  const hidden = rowsOfSlot.length - SLOTS
  return layBars({
    title: 'State and host page size, % of rows',
    what: 'rows',
    remark: hidden > 0 ? `the ${SLOTS} slots with most rows; ${hidden} more are counted above` : '',
    words: (rows) => count(rows, 'row'),
    bars,
  })
}

/** The bars of a coverage: the whole guest, and its largest slots; undefined when it has no memory. */
export function coverageBarsOf(coverage: Coverage): ShareBars | undefined {
  if (coverage.bytes === 0) return undefined
  const bySize = coverage.slots.toSorted((a, b) => b.bytes - a.bytes).slice(0, SLOTS)
  const hidden = coverage.slots.length - bySize.length
  const shown = coverage.slots.filter((one) => bySize.includes(one))
  return layBars({
    title: 'State and host page size, % of bytes',
    what: 'memory',
    remark: hidden > 0 ? `the ${SLOTS} largest slots; ${hidden} more are counted above` : '',
    words: formatSize,
    bars: [
      { group: `all, ${formatSize(coverage.bytes)}`, parts: tonesOf(coverage.shares) },
      ...shown.map(({ slot, bytes, shares }) => ({
        group: `slot ${slotName(slot)}, ${formatSize(bytes)}`,
        parts: tonesOf(shares),
      })),
    ],
  })
}

interface Bars {
  readonly title: string
  /** What is in a bar, for the head of a table. */
  readonly what: string
  readonly remark: string
  readonly words: (amount: number) => string
  /** The first is all. */
  readonly bars: readonly {
    readonly group: string
    readonly parts: readonly { readonly tone: Tone; readonly count: number }[]
  }[]
}

function layBars({ title, what, remark, words, bars }: Bars): ShareBars {
  const pieces = bars.flatMap(({ group, parts }) => {
    const all = parts.reduce((sum, part) => sum + part.count, 0)
    let before = 0
    return parts.map(({ tone, count: amount }) => {
      const from = before
      before += amount
      const share = `${words(amount)}, ${percent(amount / all)}`
      return {
        group,
        tone,
        from: round((from * 100) / all),
        to: round((before * 100) / all),
        share,
      }
    })
  })
  const all = pieces.filter(({ group }) => group === bars[0]?.group)
  const subtitle = [
    ...(remark === '' ? [] : [remark]),
    ...(all.some(({ tone }) => tone === 'hole') ? ['hole = no slot, or no address'] : []),
  ].join('; ')
  return {
    chart: 'share-bars',
    title,
    subtitle,
    description: `${title}: ${all.map(({ tone, share }) => `${tone} ${share}`).join('; ')}`,
    text: textOf([tableOf(title, what, pieces)]),
    pieces,
    tones: order.filter((tone) => pieces.some((piece) => piece.tone === tone)),
  }
}

/** Bytes by tone, in the order of a legend. */
export function tonesOf(
  shares: readonly Pick<Share, 'state' | 'pageSize' | 'bytes'>[],
): { tone: Tone; count: number }[] {
  const sums = new Map<Tone, number>()
  for (const { state, pageSize, bytes } of shares) {
    const tone = toneOf(state, pageSize)
    sums.set(tone, (sums.get(tone) ?? 0) + bytes)
  }
  return order.flatMap((tone) => {
    const bytes = sums.get(tone)
    return bytes === undefined ? [] : [{ tone, count: bytes }]
  })
}

/** Rows by tone, in the order of a legend, of groups by state and page size. */
export function tallyOf(groups: readonly Group[]): { tone: Tone; count: number }[] {
  const counts = new Map<Tone, number>()
  for (const { state = 'invalid', pageSize = null, count: rows } of groups) {
    const tone = state === 'invalid' ? 'hole' : toneOf(state, pageSize)
    counts.set(tone, (counts.get(tone) ?? 0) + rows)
  }
  return order.flatMap((tone) => {
    const rows = counts.get(tone)
    return rows === undefined ? [] : [{ tone, count: rows }]
  })
}

/** A share in words. What is there is never 0 %, and what is missing never 100 %. */
export function percent(share: number): string {
  if (share > 0 && share < 0.001) return '<0.1 %'
  if (share < 1 && share > 0.999) return '>99.9 %'
  return `${(share * 100).toFixed(1)} %`
}

function tableOf(caption: string, what: string, pieces: ShareBars['pieces']): Block {
  return {
    kind: 'table',
    caption,
    remark: null,
    columns: [left(what), left('state'), right('share')],
    rows: pieces.map(({ group, tone, share }) => [group, tone, share]),
    cut: null,
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
