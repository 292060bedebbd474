// SPDX-License-Identifier: GPL-2.0-or-later
// Two sides by state, one above the other, and the change of each state below them, as a Vega-Lite spec.

import { type ChangeBars, type Chart } from '../../../core/index.ts'
import { monoFont } from '../palette.ts'
import { fitted, frame, ink, lines, type Spec, toneColour, wordsWidth } from './spec.ts'

const WIDTH = 460
/** The longest name of a side, in pixels. */
const NAMES = 220
/** The axis of changes is so many times as long as the longest, and longer where its number, in pixels, has no room. */
const ROOM = 1.25
const NUMBER = 42

/** The two bars on one axis, and the changes to the left and right of 0. Nothing moves. */
export function changeBarsSpec(chart: Chart): Spec | undefined {
  if (chart.chart !== 'change-bars') return undefined
  const { config, ...top } = frame
  return {
    ...top,
    description: chart.description,
    title: { text: chart.title, subtitle: lines(chart.subtitle) },
    ...fitted(
      WIDTH,
      wordsWidth(
        chart.pieces.map(({ side }) => side),
        NAMES,
      ),
    ),
    spacing: 24,
    resolve: { scale: { color: 'shared', x: 'independent', y: 'independent' } },
    vconcat: [sides(chart), changes(chart)],
    config,
  }
}

/** The names of files and guests are data, and stand in no expression: so rows come in the order of the data. */
function sides({ pieces, tones, unit }: ChangeBars): Spec {
  return {
    width: WIDTH,
    height: { step: 24 },
    data: {
      values: pieces.map(({ side, tone, from, to, size }) => ({
        ...{ side, state: tone, x0: from, x1: to, size },
      })),
    },
    mark: { type: 'bar', height: 17 },
    encoding: {
      y: { field: 'side', ...rows, axis: { ...rows.axis, labelFont: monoFont, labelLimit: NAMES } },
      x: { field: 'x0', type: 'quantitative', title: unit, axis: { grid: false, tickCount: 6 } },
      x2: { field: 'x1' },
      color: toneColour(tones, 10),
      tooltip: [{ field: 'side', title: 'in' }, { field: 'state' }, { field: 'size' }],
    },
  }
}

function changes({ changes: all, tones, unit }: ChangeBars): Spec {
  const most = Math.max(...all.map(({ by }) => Math.abs(by)))
  // Without any change the axis has some length all the same.
  const end = `${most === 0 ? 1 : most} * max(${ROOM}, 1 / (1 - ${2 * NUMBER} / width))`
  const x = {
    type: 'quantitative',
    title: `change from A to B, ${unit}`,
    scale: { domain: [{ expr: `-${end}` }, { expr: end }], nice: false },
    axis: { tickCount: 6 },
  }
  const label = { type: 'text', fill: ink, font: monoFont, fontSize: 10, tooltip: false }
  return {
    width: WIDTH,
    height: { step: 20 },
    data: {
      values: all.map(({ tone, by, label: text, sizes: [a, b, change] }) => ({
        ...{ state: tone, by, a, b, change },
        // A layer that a filter leaves without data makes Vega warn: each has all rows, and some are blank.
        ...{ more: by >= 0 ? text : '', less: by < 0 ? text : '' },
      })),
    },
    encoding: { y: { field: 'state', ...rows } },
    layer: [
      {
        mark: { type: 'bar', height: 12 },
        encoding: {
          x: { field: 'by', ...x },
          color: toneColour(tones, 10),
          tooltip: [
            { field: 'state' },
            { field: 'a', title: 'in A' },
            { field: 'b', title: 'in B' },
            { field: 'change' },
          ],
        },
      },
      {
        mark: { ...label, align: 'left', dx: 5 },
        encoding: { x: { field: 'by', ...x }, text: { field: 'more' } },
      },
      {
        mark: { ...label, align: 'right', dx: -5 },
        encoding: { x: { field: 'by', ...x }, text: { field: 'less' } },
      },
    ],
  }
}

const rows = {
  type: 'nominal',
  sort: null,
  title: null,
  axis: { ticks: false, domain: false, labelPadding: 8 },
} as const
