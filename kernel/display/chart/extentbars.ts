// SPDX-License-Identifier: GPL-2.0-or-later
// Bars of how contiguous memory is, as a Vega-Lite spec.

import { type Chart } from '../../../core/index.ts'
import { colours, uiFont } from '../palette.ts'
import { fitted, frame, ink, lines, type Spec } from './spec.ts'

/** Room for the axis to the left. */
const NAMES = 45

/** One bar a class of run lengths, with the number of runs on top. Nothing moves. */
export function extentBarsSpec(chart: Chart): Spec | undefined {
  if (chart.chart !== 'extent-bars') return undefined
  const { title, subtitle, description, bars } = chart
  const width = Math.max(200, Math.min(640, 34 * bars.length))
  return {
    ...frame,
    description,
    title: { text: title, subtitle: lines(subtitle) },
    width,
    ...fitted(width, NAMES),
    height: 160,
    data: {
      values: bars.map(({ from, percent, share, runs, size, label }) => ({
        ...{ length: from, percent, share, runs, size, label },
      })),
    },
    encoding: {
      x: {
        field: 'length',
        type: 'ordinal',
        sort: null,
        title: 'length of run, from',
        axis: { labelAngle: 0, ticks: false, labelPadding: 6 },
      },
      y: {
        field: 'percent',
        type: 'quantitative',
        title: '% of mapped bytes',
        axis: { tickCount: 4 },
      },
    },
    layer: [
      {
        mark: {
          type: 'bar',
          color: colours['mapped 2M'],
          cornerRadiusTopLeft: 2,
          cornerRadiusTopRight: 2,
        },
        encoding: {
          tooltip: [
            { field: 'length', title: 'runs from' },
            { field: 'runs', title: 'how many' },
            { field: 'size', title: 'bytes in them' },
            { field: 'share', title: 'of mapped' },
          ],
        },
      },
      {
        mark: { type: 'text', fill: ink, font: uiFont, fontSize: 10, dy: -7, tooltip: false },
        encoding: { text: { field: 'label' } },
      },
    ],
  }
}
