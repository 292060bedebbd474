// SPDX-License-Identifier: GPL-2.0-or-later
// What all charts have in common: the frame of a Vega-Lite spec that JupyterLab's engine and newer ones both take.

import { type Tone } from '../../../core/index.ts'
import { colours, uiFont } from '../palette.ts'

/** What JupyterLab has to both sides of a picture in a window without its file browser, in pixels. */
const BESIDE = 165
/** No plot is narrower than this. */
const LEAST = 160
/** A window narrower than this, in pixels, has no room for a whole legend in one or two rows. */
const NARROW = 700
/** The letters of a line of a subtitle. */
const LETTERS = 62

/** A Vega-Lite specification as JSON. */
export type Spec = Readonly<Record<string, unknown>>

/**
 * The ink of words in a chart: Vega leaves text marks black on a dark card. A comparison with no background at all is
 * false, so ink is dark then.
 */
export const ink = { expr: "luminance(background) < 0.4 ? '#e6e6e6' : '#222222'" }

/** The same look for every chart. No background and no colours of text here: they would win over the user's theme. */
export const frame: Spec = {
  // JupyterLab 4 knows version 5 only; newer engines take it too.
  $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
  config: {
    font: uiFont,
    view: { stroke: null },
    axis: {
      labelFontSize: 11,
      titleFontSize: 11,
      titleFontWeight: 'normal',
      gridOpacity: 0.35,
      domainOpacity: 0.6,
      tickOpacity: 0.6,
    },
    legend: { labelFontSize: 11, titleFontSize: 11, titleFontWeight: 'normal' },
    title: {
      fontSize: 13,
      fontWeight: 600,
      anchor: 'start',
      subtitleFontSize: 11,
      subtitlePadding: 4,
      offset: 10,
    },
  },
}

/**
 * The width of a plot: `width` pixels, or less in a narrow window. What stands beside a chart in JupyterLab (its bars and
 * the cell's margins) takes `BESIDE` pixels of the window, and names to the left of the plot take `names`. Without a
 * window, and in a wide one, nothing changes. A parameter of this name is the width of all plots of a picture.
 */
export function fitted(width: number, names: number): { readonly params: readonly Spec[] } {
  const room = `windowSize()[0] - ${BESIDE + names}`
  const expr = `windowSize()[0] > 0 ? clamp(${room}, ${LEAST}, ${width}) : ${width}`
  return { params: [{ name: 'width', expr }] }
}

/** About how wide the longest of some names is beside a plot, in pixels. */
export function wordsWidth(names: readonly string[], most = Infinity): number {
  return Math.ceil(Math.min(most, 6.7 * Math.max(0, ...names.map(({ length }) => length))) + 8)
}

/** A subtitle in lines of which none makes a picture wider; `; ` is where one may end. */
export function lines(subtitle: string): string[] {
  const all: string[] = []
  for (const part of subtitle.split('; ')) {
    const last = all.at(-1)
    if (last !== undefined && last.length + part.length < LETTERS)
      all.splice(-1, 1, `${last}; ${part}`)
    else all.push(part)
  }
  return all
}

/** More than six names in one row are wider than any chart; 0 is as many as there are. */
function columnsOf(tones: number): Spec {
  return { expr: `windowSize()[0] < ${NARROW} ? 3 : ${tones > 6 ? Math.ceil(tones / 2) : 0}` }
}

/** The colour of what is in `state`, with a legend of these tones above the chart at a distance of `offset` pixels. */
export function toneColour(tones: readonly Tone[], offset: number): Spec {
  return {
    field: 'state',
    type: 'nominal',
    scale: { domain: tones, range: tones.map((tone) => colours[tone]) },
    legend: {
      title: null,
      orient: 'top',
      direction: 'horizontal',
      symbolType: 'square',
      symbolSize: 90,
      columnPadding: 14,
      columns: columnsOf(tones.length),
      padding: 0,
      offset,
    },
  }
}
