// SPDX-License-Identifier: GPL-2.0-or-later
// A grid of guest memory as a Vega-Lite spec.

import { type Chart, type HeatMap, hex } from '../../../core/index.ts'
import { monoFont } from '../palette.ts'
import { fitted, frame, ink, lines, type Spec, toneColour } from './spec.ts'

const COLUMNS = 64
const WIDTH = 560
/** Room for the addresses of rows. */
const NAMES = 80
/** A grid is so high in all, but its rows are neither hair lines nor walls. */
const HEIGHT = 320
/** Rows that are less high are named in turn. */
const NAMED = 13
/** More marks make a still picture of more than 100 KB: then it shows shares more roughly, and pairs of cells. */
const MOST_STILL = 900

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
    title: { text: title, subtitle: lines(subtitle) },
    width: WIDTH,
    ...fitted(WIDTH, NAMES),
    height: rowHeight(chart) * rows.length,
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
              encoding: {
                x: { value: -70 },
                x2: { value: { expr: 'width' } },
                y: { field: 'r', ...y },
              },
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

function still(map: HeatMap, y: Spec): Spec {
  const coarser = [
    { step: 1, parts: 10 },
    { step: 1, parts: 2 },
    { step: 2, parts: 2 },
  ]
  let values: StillCell[] = []
  for (const { step, parts } of coarser) {
    values = stillCells(map, step, parts)
    if (values.length <= MOST_STILL) break
  }
  const { tones } = map
  return { data: { values }, mark: { type: 'rect', aria: false }, encoding: encoding(tones, y) }
}

/** Neighbours in a row that are alike. */
interface StillCell {
  readonly c: number
  c2: number
  readonly r: number
  readonly r2: number
  readonly state: string
  readonly p: number
}

/** Of `step` cells the last state in the legend stands for all, and shares are rounded up to `parts` steps. */
function stillCells({ tones, states, shares }: HeatMap, step: number, parts: number): StillCell[] {
  const cells: StillCell[] = []
  for (let i = 0; i < states.length; i += step) {
    const letters = Array.from(states.slice(i, i + step))
      .filter((letter) => letter !== '-')
      .sort()
    const state = tones[Number(letters.at(-1))]
    if (state === undefined) continue
    const c = i % COLUMNS
    const r = Math.floor(i / COLUMNS) + 0.03
    const share = parseInt(shares[states.indexOf(letters.at(-1) ?? '', i)] ?? '1', 16)
    const p = (Math.ceil((share * parts) / 10) * 10) / parts
    const last = cells.at(-1)
    const isMore = last?.r === r && last.c2 === c && last.state === state && last.p === p
    if (isMore) last.c2 = c + step
    else cells.push({ c, c2: c + step, r, r2: r + 0.94, state, p })
  }
  return cells
}

function rowHeight({ rows }: HeatMap): number {
  return Math.max(10, Math.min(16, Math.floor(HEIGHT / rows.length)))
}

/** The addresses of rows, fewer when there are many; those behind a jump always have theirs. */
function namesOf(map: HeatMap): { r: number; gpa: string }[] {
  const { rows, jumps } = map
  return [...rows.keys()]
    .filter((r) => rowHeight(map) >= NAMED || r % 2 === 0 || jumps.includes(r))
    .map((r) => ({ r: r + 0.5, gpa: hex(rows[r] ?? 0) }))
}
