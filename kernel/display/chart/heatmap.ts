// SPDX-License-Identifier: GPL-2.0-or-later
// A grid of guest memory as a Vega-Lite spec.

import { type Chart, type HeatMap, hex } from '../../../core/index.ts'
import { monoFont } from '../palette.ts'
import { frame, ink, type Spec, toneColour } from './spec.ts'

const COLUMNS = 64
const WIDTH = 600
/** A row's height: a grid of one row is not a hair line, one of 32 not a wall. */
const ROW = 12
/** Every second row is named when there are more. */
const NAMED = 16

/**
 * The grid. The cells travel as two texts with a letter for each, and become rows of data in the page: that is a tenth
 * of what objects take. Still, neighbours that are alike are one mark. Nothing moves.
 */
export function heatMapSpec(chart: Chart, interactive: boolean): Spec | undefined {
  if (chart.chart !== 'heat-map') return undefined
  const { title, subtitle, description, rows, jumps } = chart
  const y = {
    type: 'quantitative',
    axis: null,
    scale: { domain: [rows.length, 0], nice: false },
  }
  return {
    ...frame,
    description,
    title: { text: title, subtitle },
    width: WIDTH,
    height: Math.max(24, rows.length * ROW),
    layer: [
      interactive ? moving(chart, y) : still(chart, y),
      {
        data: { values: namesOf(chart) },
        mark: {
          ...{ type: 'text', fill: ink, font: monoFont, fontSize: 10 },
          ...{ align: 'right', baseline: 'middle', dx: -6, tooltip: false },
        },
        encoding: { x: { value: 0 }, y: { field: 'r', ...y }, text: { field: 'gpa' } },
      },
      // A layer without data makes Vega warn.
      ...(jumps.length === 0
        ? []
        : [
            {
              data: { values: jumps.map((r) => ({ r })) },
              mark: { type: 'rule', stroke: '#888', strokeDash: [4, 3], tooltip: false },
              encoding: { x: { value: -70 }, x2: { value: WIDTH }, y: { field: 'r', ...y } },
            },
          ]),
    ],
  }
}

function encoding(tones: HeatMap['tones'], y: Spec): Spec {
  return {
    x: {
      field: 'c',
      type: 'quantitative',
      axis: null,
      scale: { domain: [0, COLUMNS], nice: false },
    },
    x2: { field: 'c2' },
    y: { field: 'r', ...y },
    y2: { field: 'r2' },
    color: toneColour(tones, 10),
    opacity: {
      field: 'p',
      type: 'quantitative',
      legend: null,
      scale: { domain: [0, 10], range: [0.25, 1] },
    },
  }
}

function moving({ tones, rows, cell, states, shares }: HeatMap, y: Spec): Spec {
  const letter = (text: string) => `substring('${text}', datum.i, datum.i + 1)`
  const list = `[${tones.map((tone) => `'${tone}'`).join(',')}]`
  const gpa = `[${rows.join(',')}][floor(datum.i / ${COLUMNS})] + datum.c * ${cell}`
  return {
    data: { sequence: { start: 0, stop: states.length, as: 'i' } },
    transform: [
      { calculate: letter(states), as: 's' },
      { filter: "datum.s != '-'" },
      { calculate: `floor(datum.i / ${COLUMNS}) + 0.03`, as: 'r' },
      { calculate: 'datum.r + 0.94', as: 'r2' },
      { calculate: `datum.i % ${COLUMNS}`, as: 'c' },
      { calculate: 'datum.c + 0.94', as: 'c2' },
      { calculate: `${list}[toNumber(datum.s)]`, as: 'state' },
      // Digits are hexadecimal: ten tenths are one letter.
      { calculate: `parseInt(${letter(shares)}, 16)`, as: 'p' },
      { calculate: `'0x' + format(${gpa}, 'x')`, as: 'gpa' },
    ],
    mark: { type: 'rect', aria: false },
    encoding: {
      ...encoding(tones, y),
      tooltip: [
        { field: 'gpa', type: 'nominal', title: 'from gpa' },
        { field: 'state', type: 'nominal' },
        { field: 'p', type: 'quantitative', title: 'tenths of the cell' },
      ],
    },
  }
}

function still({ tones, states, shares }: HeatMap, y: Spec): Spec {
  const values: { c: number; c2: number; r: number; r2: number; state: string; p: number }[] = []
  for (let i = 0; i < states.length; i++) {
    const state = tones[Number(states[i])]
    if (state === undefined) continue
    const column = i % COLUMNS
    const last = values.at(-1)
    const isMore = column > 0 && states[i - 1] === states[i] && shares[i - 1] === shares[i]
    if (isMore && last !== undefined) last.c2 = column + 1
    else {
      const r = Math.floor(i / COLUMNS)
      const p = parseInt(shares[i] ?? '1', 16)
      values.push({ c: column, c2: column + 1, r: r + 0.03, r2: r + 0.97, state, p })
    }
  }
  return { data: { values }, mark: { type: 'rect' }, encoding: encoding(tones, y) }
}

/** The addresses of rows, fewer when there are many; those behind a jump always have theirs. */
function namesOf({ rows, jumps }: HeatMap): { r: number; gpa: string }[] {
  return [...rows.keys()]
    .filter((r) => rows.length <= NAMED || r % 2 === 0 || jumps.includes(r))
    .map((r) => ({ r: r + 0.5, gpa: hex(rows[r] ?? 0) }))
}
