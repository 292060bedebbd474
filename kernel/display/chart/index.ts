// SPDX-License-Identifier: GPL-2.0-or-later
// The charts that can be drawn. A new one is a file and a line here.

import { type Chart } from '../../../core/index.ts'
import { changeBarsSpec } from './changebars.ts'
import { extentBarsSpec } from './extentbars.ts'
import { heatMapSpec } from './heatmap.ts'
import { nodeBarsSpec } from './nodebars.ts'
import { shareBarsSpec } from './sharebars.ts'
import { slotMapSpec } from './slotmap.ts'
import { type Spec } from './spec.ts'

/** Draws a chart of its own kind: with what moves under the mouse, or still. Undefined for other kinds. */
type Drawer = (chart: Chart, interactive: boolean) => Spec | undefined

const drawers: readonly Drawer[] = [
  slotMapSpec,
  shareBarsSpec,
  nodeBarsSpec,
  heatMapSpec,
  extentBarsSpec,
  changeBarsSpec,
]

/** The Vega-Lite spec of a chart, or undefined when nobody here can draw it. */
export function specOf(chart: Chart, interactive: boolean): Spec | undefined {
  for (const draw of drawers) {
    const spec = draw(chart, interactive)
    if (spec !== undefined) return spec
  }
  return undefined
}
