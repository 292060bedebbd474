// SPDX-License-Identifier: GPL-2.0-or-later
// A guest's memory as a grid of cells: what is in most of each, and poison wherever it is.

import { formatSize, hex } from '../bytes/hex.ts'
import { ROW_CELLS } from '../kvm/cells.ts'
import { type Coverage } from '../kvm/coverage.ts'
import { type HeatMap } from './chart.ts'
import { tonesOf } from './sharebars.ts'
import { count } from './table.ts'
import { textOf } from './text.ts'
import { shareStates, type Tone, toneGlyphs } from './tone.ts'

/** A grid of fewer cells says less than its bar. */
const LEAST_CELLS = 8

/** Lays the grid out; undefined for a guest of a few cells. */
export function heatMapOf({ cells, bytes }: Coverage): HeatMap | undefined {
  const { cellSize, rows, leftOut } = cells
  if (bytes < LEAST_CELLS * cellSize) return undefined
  const found: (Tone | null)[] = []
  let shares = ''
  for (const row of rows.keys()) {
    for (let column = 0; column < ROW_CELLS; column++) {
      const tones = tonesOf(cells.at(row, column))
      const all = tones.reduce((sum, part) => sum + part.count, 0)
      const [first] = tones
      if (first === undefined) {
        found.push(null)
        shares += '-'
        continue
      }
      // One lost page in a cell of gigabytes must be seen.
      const poison = tones.find(({ tone }) => tone === 'poisoned')
      const most = poison ?? tones.reduce((a, b) => (b.count > a.count ? b : a))
      found.push(most.tone)
      const tenths = poison === undefined ? Math.round((most.count / all) * 10) : 10
      shares += Math.max(1, tenths).toString(16)
    }
  }
  const tones = shareStates.filter((tone) => found.includes(tone))
  const numberOf = new Map<Tone | null, string>(tones.map((tone, i) => [tone, i.toString()]))
  const row = ROW_CELLS * cellSize
  const jumps = [...rows.keys()].filter((i) => i > 0 && (rows[i] ?? 0) > (rows[i - 1] ?? 0) + row)
  const title = `Guest memory by cells of ${formatSize(cellSize)}`
  const subtitle = [
    `${formatSize(row)} a row; colour = most of a cell, pale = less`,
    ...(tones.includes('poisoned') ? ['one poisoned page colours its cell'] : []),
    ...(jumps.length > 0 ? ['dashed = addresses left out'] : []),
    ...(leftOut > 0 ? [`${count(leftOut, 'small slot')} not shown`] : []),
  ].join('; ')
  const there = found.filter((tone) => tone !== null)
  const counts = tones.map((tone) => `${tone} ${there.filter((one) => one === tone).length}`)
  return {
    chart: 'heat-map',
    title,
    subtitle,
    description: `${title}: ${count(there.length, 'cell')}, ${counts.join(', ')}`,
    text: textFor(title, rows, found, tones),
    cell: cellSize,
    rows,
    jumps,
    states: found.map((tone) => numberOf.get(tone) ?? '-').join(''),
    shares,
    tones,
  }
}

/** The grid in letters: 64 a row behind the row's address. */
function textFor(
  title: string,
  rows: readonly number[],
  found: readonly (Tone | null)[],
  tones: readonly Tone[],
): string {
  const width = Math.max(...rows.map((gpa) => hex(gpa).length))
  const lines = rows.map((gpa, i) => {
    const letters = found.slice(i * ROW_CELLS, (i + 1) * ROW_CELLS)
    return `${hex(gpa).padStart(width)} ${letters.map((tone) => toneGlyphs[tone ?? 'hole']).join('')}`
  })
  const legend = [...tones, 'hole' as const].map((tone) => ({
    text: `${toneGlyphs[tone]} ${tone}`,
  }))
  return [title, '', ...lines, textOf([{ kind: 'line', parts: legend }])].join('\n')
}
