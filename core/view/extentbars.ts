// SPDX-License-Identifier: GPL-2.0-or-later
// How contiguous a guest's memory is on the host, by length of run.

import { formatSize } from '../bytes/hex.ts'
import { type ExtentClass } from '../kvm/extents.ts'
import { type Block } from './block.ts'
import { type ExtentBars } from './chart.ts'
import { percent } from './sharebars.ts'
import { right } from './table.ts'
import { textOf } from './text.ts'

/** Lays the bars out; undefined when nothing is mapped. */
export function extentBarsOf(extents: readonly ExtentClass[]): ExtentBars | undefined {
  const total = extents.reduce((sum, { bytes }) => sum + bytes, 0)
  if (total === 0) return undefined
  const bars = extents.map(({ from, count, bytes }) => ({
    from: formatSize(from).replace(/ (.)iB$/, '$1'),
    percent: Math.round((bytes / total) * 10000) / 100,
    share: percent(bytes / total),
    runs: count.toLocaleString('en-US'),
    size: formatSize(bytes),
    label: short(count),
  }))
  const title = 'Runs of contiguous host memory'
  const largest = bars.at(-1)
  return {
    chart: 'extent-bars',
    title,
    subtitle: 'bar = share of mapped bytes in runs of this length; number = how many runs',
    description: `${title}: ${formatSize(total)} mapped; the longest runs, of ${largest?.from ?? ''} and more, hold ${largest?.share ?? ''}`,
    text: textOf([tableOf(title, bars)]),
    bars,
  }
}

function tableOf(caption: string, bars: ExtentBars['bars']): Block {
  return {
    kind: 'table',
    caption,
    remark: 'runs from this length up to below twice as much',
    columns: [right('length'), right('runs'), right('bytes'), right('of mapped')],
    rows: bars.map(({ from, runs, size, share }) => [from, runs, size, share]),
    cut: null,
  }
}

/** `947`, `9.1k`, `22k`, `3.4M`. */
function short(count: number): string {
  for (const [size, letter] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (count >= size) return `${(count / size).toFixed(count < 10 * size ? 1 : 0)}${letter}`
  }
  return count.toString()
}
