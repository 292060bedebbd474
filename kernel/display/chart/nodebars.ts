// SPDX-License-Identifier: GPL-2.0-or-later
// Bars of bytes on each NUMA node, as a Vega-Lite spec.

import { type Chart } from '../../../core/index.ts'
import { uiFont } from '../palette.ts'
import { fitted, frame, ink, type Spec, toneColour, wordsWidth } from './spec.ts'

/** Room for the words behind the longest bar, as a part of the bar. */
const WORDS = 0.32
const WIDTH = 480

/** One bar a node, stacked by page size, with its sum behind it. Nothing moves. */
export function nodeBarsSpec(chart: Chart): Spec | undefined {
  if (chart.chart !== 'node-bars') return undefined
  const { title, description, unit, pieces, ends, tones } = chart
  const longest = Math.max(...ends.map(({ at }) => at))
  const x = {
    type: 'quantitative',
    title: unit,
    scale: { domain: [0, longest * (1 + WORDS)], nice: false },
    axis: { tickCount: 6, grid: true },
  }
  return {
    ...frame,
    description,
    title: { text: title },
    width: WIDTH,
    ...fitted(WIDTH, wordsWidth(ends.map(({ node }) => node))),
    height: { step: 26 },
    encoding: {
      y: {
        field: 'node',
        type: 'nominal',
        sort: ends.map(({ node }) => node),
        title: null,
        axis: { ticks: false, domain: false, labelPadding: 8 },
      },
    },
    layer: [
      {
        data: {
          values: pieces.map(({ node, tone, from, to, size }) => ({
            ...{ node, state: tone, b0: from, b1: to, size },
          })),
        },
        mark: { type: 'bar', height: 16 },
        encoding: {
          x: { field: 'b0', ...x },
          x2: { field: 'b1' },
          color: toneColour(tones, 10),
          tooltip: [{ field: 'node' }, { field: 'state', title: 'page size' }, { field: 'size' }],
        },
      },
      {
        data: { values: ends.map(({ node, at, label }) => ({ node, at, label })) },
        mark: {
          type: 'text',
          fill: ink,
          font: uiFont,
          fontSize: 10,
          align: 'left',
          dx: 6,
          tooltip: false,
        },
        encoding: { x: { field: 'at', type: 'quantitative' }, text: { field: 'label' } },
      },
    ],
  }
}
