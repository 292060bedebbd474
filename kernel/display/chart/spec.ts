// SPDX-License-Identifier: GPL-2.0-or-later
// What all charts have in common: the frame of a Vega-Lite spec that JupyterLab's engine and newer ones both take.

import { type Tone } from '../../../core/index.ts'
import { colours, uiFont } from '../palette.ts'

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

/** A subtitle in lines of which none makes a picture wider; `; ` is where one may end. */
export function lines(subtitle: string): string[] {
  const all: string[] = []
  for (const part of subtitle.split('; ')) {
    const last = all.at(-1)
    if (last !== undefined && last.length + part.length < 90) all.splice(-1, 1, `${last}; ${part}`)
    else all.push(part)
  }
  return all
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
      // More than six in one row are wider than any chart.
      ...(tones.length > 6 ? { columns: Math.ceil(tones.length / 2) } : {}),
      padding: 0,
      offset,
    },
  }
}
