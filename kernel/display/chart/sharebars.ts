// SPDX-License-Identifier: GPL-2.0-or-later
// Bars of 100 % as a Vega-Lite spec.

import { type Chart, type Tone } from '../../../core/index.ts'
import { fitted, frame, lines, type Spec, toneColour, wordsWidth } from './spec.ts'

/** On these the letters are light; on the others dark ones are easier to read. */
const dark: readonly Tone[] = ['mapped 1G', 'mapped 2M', 'poisoned', 'not in dump', 'hole']
/** A piece narrower than this, in per cent, has no room for its number. */
const ROOM = 6
/** Its least width in pixels, where the window is narrow. */
const ROOM_PIXELS = 22
const WIDTH = 480
/** The longest name of a group, in pixels. */
const NAMES = 200

/** One bar a group, with the number in each piece that has room. Nothing moves, so still and moving are the same. */
export function shareBarsSpec(chart: Chart): Spec | undefined {
  if (chart.chart !== 'share-bars') return undefined
  const { title, subtitle, description, pieces, tones } = chart
  const labelled = pieces.map(({ group, tone, from, to, share }) => ({
    row: group,
    state: tone,
    s0: from,
    s1: to,
    mid: (from + to) / 2,
    share,
    label: to - from >= ROOM ? Math.round(to - from).toString() : '',
    ink: dark.includes(tone) ? '#ffffff' : '#10131a',
  }))
  const x = {
    field: 's0',
    type: 'quantitative',
    title: null,
    scale: { domain: [0, 100] },
    axis: {
      values: [0, 25, 50, 75, 100],
      labelExpr: "datum.value + ' %'",
      grid: false,
      domain: false,
      ticks: false,
    },
  }
  return {
    ...frame,
    description,
    title: { text: title, ...(subtitle === '' ? {} : { subtitle: lines(subtitle) }) },
    width: WIDTH,
    ...fitted(
      WIDTH,
      wordsWidth(
        pieces.map(({ group }) => group),
        NAMES,
      ),
    ),
    height: { step: 24 },
    data: { values: labelled },
    resolve: { scale: { color: 'independent' } },
    encoding: {
      y: {
        field: 'row',
        type: 'nominal',
        sort: null,
        title: null,
        axis: { ticks: false, domain: false, labelLimit: NAMES, labelPadding: 8 },
      },
    },
    layer: [
      {
        mark: { type: 'bar', height: 17 },
        encoding: {
          x,
          x2: { field: 's1' },
          color: toneColour(tones, 10),
          tooltip: [{ field: 'row', title: 'group' }, { field: 'state' }, { field: 'share' }],
        },
      },
      {
        transform: [
          {
            calculate: `(datum.s1 - datum.s0) * width / 100 < ${ROOM_PIXELS} ? '' : datum.label`,
            as: 'fitting',
          },
        ],
        mark: { type: 'text', fontSize: 10, fontWeight: 'bold', tooltip: false },
        encoding: {
          x: { field: 'mid', type: 'quantitative' },
          text: { field: 'fitting' },
          color: { field: 'ink', type: 'nominal', scale: null },
        },
      },
    ],
  }
}
