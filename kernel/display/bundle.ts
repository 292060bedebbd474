// SPDX-License-Identifier: GPL-2.0-or-later
// A value as what a notebook shows of it: the content of its display messages.

import { inspect } from 'node:util'
import { viewOf, type Chart } from '../../core/index.ts'
import { specOf } from './chart/index.ts'
import { htmlOf } from './html.ts'
import { svgOf } from './svg.ts'

/** The content of one display message: a value in several formats, of which a viewer takes the best it knows. */
export interface Bundle {
  /** By mime type: JSON for types that end in `+json`, text for all others. */
  readonly data: Readonly<Record<string, unknown>>
  readonly metadata: Readonly<Record<string, unknown>>
}

/** One way to show values. The first that claims a value shows it. */
interface Displayer {
  readonly claims: (value: unknown) => boolean
  readonly render: (value: unknown) => Promise<Bundle[]> | Bundle[]
}

const VEGA_LITE = 'application/vnd.vegalite.v5+json'
/**
 * How Vega's frame shows a chart. These stand in the spec: into options in the message's metadata, JupyterLab writes
 * its theme, and the chart of a notebook that was saved in the dark stays dark for every reader.
 */
const embedOptions = { actions: false, renderer: 'svg' }
/** The protocol by which a value of any library says how it is shown; Deno's kernel brought it. */
const display = Symbol.for('Jupyter.display')

const displayers: readonly Displayer[] = [
  { claims: (value) => value === undefined, render: () => [] },
  { claims: (value) => ownDisplay(value) !== undefined, render: renderOwn },
  { claims: (value) => viewOf(value) !== undefined, render: renderView },
  {
    claims: () => true,
    render: (value) => [
      textBundle(inspect(value, { depth: 4, maxArrayLength: 50, maxStringLength: 8192 })),
    ],
  },
]

/**
 * The messages that show a value, in their order; none for undefined. A table and a chart are two messages: of a
 * bundle with both, JupyterLab draws only the table, and VS Code only the chart.
 */
export function bundlesOf(value: unknown): Promise<Bundle[]> | Bundle[] {
  return displayers.find(({ claims }) => claims(value))?.render(value) ?? []
}

function renderView(value: unknown): Promise<Bundle[]> | Bundle[] {
  const view = viewOf(value)
  if (view === undefined) return []
  const table = {
    data: { 'text/html': htmlOf(view.blocks), 'text/plain': view.text },
    metadata: {},
  }
  if (view.charts.length === 0) return [table]
  return Promise.all(view.charts.map(chartBundle)).then((charts) => [table, ...charts])
}

async function chartBundle(chart: Chart): Promise<Bundle> {
  const moving = specOf(chart, true)
  const still = specOf(chart, false)
  if (moving === undefined || still === undefined) return textBundle(chart.text)
  return {
    data: {
      [VEGA_LITE]: { ...moving, usermeta: { embedOptions } },
      'image/svg+xml': await svgOf(still, chart.title, chart.description),
      'text/plain': chart.text,
    },
    metadata: {},
  }
}

function textBundle(text: string): Bundle {
  return { data: { 'text/plain': text }, metadata: {} }
}

function ownDisplay(value: unknown): (() => unknown) | undefined {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined
  const method: unknown = Reflect.get(value, display)
  return typeof method === 'function'
    ? () => Reflect.apply(method, value, []) as unknown
    : undefined
}

function renderOwn(value: unknown): Promise<Bundle[]> | Bundle[] {
  const shown = ownDisplay(value)?.()
  return shown instanceof Promise
    ? shown.then((data: unknown) => ownBundles(value, data))
    : ownBundles(value, shown)
}

/** What the value says of itself, as long as it is a mime bundle; text is added when it has none. */
function ownBundles(value: unknown, data: unknown): Bundle[] {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    return [textBundle(inspect(value))]
  }
  // A bundle of nothing is how a value says that it is not to be shown.
  if (Object.keys(data).length === 0) return []
  const text = 'text/plain' in data ? {} : { 'text/plain': inspect(value, { depth: 2 }) }
  return [{ data: { ...data, ...text }, metadata: {} }]
}
