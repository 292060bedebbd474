// SPDX-License-Identifier: GPL-2.0-or-later
// The rows of a bulk translation by state and page size: for all of them, and for the slots with most.

import { type Group } from '../bulk/group.ts'
import { type TranslationTable } from '../bulk/table.ts'
import { type Block } from './block.ts'
import { type ShareBars } from './chart.ts'
import { count, left, right } from './table.ts'
import { textOf } from './text.ts'
import { shareStates, type Tone, toneOf } from './tone.ts'

/** So many slots have a bar of their own. */
const SLOTS = 12
const order: readonly Tone[] = [...shareStates, 'hole']

/** Lays the bars out; a table without rows has none. */
export function shareBarsOf(table: TranslationTable): ShareBars {
  const groups = table.groupBy('slot', 'state', 'pageSize')
  const rowsOfSlot = table.groupBy('slot').filter(({ slot }) => typeof slot === 'number')
  const bars = [
    { group: `all ${count(table.length, 'row')}`, groups, rows: table.length },
    ...rowsOfSlot.slice(0, SLOTS).map(({ slot, count: rows }) => ({
      group: `slot ${slot ?? '?'}, ${count(rows, 'row')}`,
      groups: groups.filter((one) => one.slot === slot),
      rows,
    })),
  ]
  const pieces = bars.flatMap(({ group, groups: parts, rows }) => {
    let before = 0
    return tallyOf(parts).map(({ tone, count: inTone }) => {
      const from = before
      before += inTone
      const share = `${count(inTone, 'row')}, ${percent(inTone / rows)}`
      return {
        group,
        tone,
        from: round((from * 100) / rows),
        to: round((before * 100) / rows),
        share,
      }
    })
  })
  const title = 'State and host page size, % of rows'
  const hidden = rowsOfSlot.length - SLOTS
  const all = pieces.filter(({ group }) => group === bars[0]?.group)
  const subtitle = [
    ...(hidden > 0 ? [`the ${SLOTS} slots with most rows; ${hidden} more are counted above`] : []),
    ...(all.some(({ tone }) => tone === 'hole') ? ['hole = no slot, or no address'] : []),
  ].join('; ')
  return {
    chart: 'share-bars',
    title,
    subtitle,
    description: `${title}: ${all.map(({ tone, share }) => `${tone} ${share}`).join('; ')}`,
    text: textOf([tableOf(title, pieces)]),
    pieces,
    tones: order.filter((tone) => pieces.some((piece) => piece.tone === tone)),
  }
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

function tableOf(caption: string, pieces: ShareBars['pieces']): Block {
  return {
    kind: 'table',
    caption,
    remark: null,
    columns: [left('rows'), left('state'), right('share')],
    rows: pieces.map(({ group, tone, share }) => [group, tone, share]),
    cut: null,
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
