// SPDX-License-Identifier: GPL-2.0-or-later
// A value as what a notebook shows of it: the content of its display messages.

import { inspect } from 'node:util'
import { viewOf, type Chart } from '../../core/index.ts'
import { specOf } from './chart/index.ts'
import { type Bundle, cleanJson, displaySymbol, isJsonType } from './drawn.ts'
import { htmlOf } from './html.ts'
import { svgOf } from './svg.ts'

export { type Bundle } from './drawn.ts'

/** One way to show values. The first that claims a value shows it. */
interface Displayer {
  readonly claims: (value: unknown) => boolean
  readonly render: (value: unknown) => Promise<Bundle[]> | Bundle[]
}

/** A text that is longer is cut, in letters. */
const longestText = 256 * 1024

const VEGA_LITE = 'application/vnd.vegalite.v5+json'
/**
 * How Vega's frame shows a chart. These stand in the spec: into options in the message's metadata, JupyterLab writes
 * its theme, and the chart of a notebook that was saved in the dark stays dark for every reader.
 */
const embedOptions = { actions: false, renderer: 'svg' }
/** A picture of a thousand marks and more takes half as long as one canvas. */
const manyMarks: Chart['chart'] = 'heat-map'

const displayers: readonly Displayer[] = [
  { claims: (value) => value === undefined, render: () => [] },
  { claims: (value) => ownDisplay(value) !== undefined, render: renderOwn },
  { claims: (value) => viewOf(value) !== undefined, render: renderView },
  {
    claims: () => true,
    render: (value) => [textBundle(cutText(value))],
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
      [VEGA_LITE]: { ...moving, usermeta: { embedOptions: embedOptionsOf(chart) } },
      'image/svg+xml': await svgOf(still, chart.title, chart.description),
      'text/plain': chart.text,
    },
    metadata: {},
  }
}

function embedOptionsOf({ chart }: Chart): typeof embedOptions {
  return chart === manyMarks ? { ...embedOptions, renderer: 'canvas' } : embedOptions
}

/** A value as Node shows it. Where it leaves something out, a line says how to see all. */
function cutText(value: unknown): string {
  const text = inspect(value, { depth: 4, maxArrayLength: 50, maxStringLength: 8192 })
  const isCut = /\.\.\. \d+ more (item|character|entr)/.test(text) || text.length > longestText
  if (!isCut) return text
  return `${text.slice(0, longestText)}\n(cut here: full(value) shows all of it)`
}

function textBundle(text: string): Bundle {
  return { data: { 'text/plain': text }, metadata: {} }
}

function ownDisplay(value: unknown): (() => unknown) | undefined {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined
  const method: unknown = Reflect.get(value, displaySymbol)
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
  const whole = isWhole(data) ? data : { data, metadata: {} }
  const formats = Object.entries(whole.data).filter(([, content]) => content !== undefined)
  // A bundle of nothing is how a value says that it is not to be shown.
  if (formats.length === 0) return []
  const clean: Record<string, unknown> = Object.fromEntries(
    formats.map(([type, content]: [string, unknown]) => [type, contentOf(type, content)]),
  )
  clean['text/plain'] ??= inspect(value, { depth: 2 })
  return [{ data: clean, metadata: cleanJson(whole.metadata) as Bundle['metadata'] }]
}

/** With metadata beside the formats; a format's name always has a slash. */
function isWhole(data: object): data is { data: object; metadata: object } {
  return (
    Object.keys(data).sort().join() === 'data,metadata' &&
    Object.values(data).every((part) => typeof part === 'object' && part !== null)
  )
}

/** A notebook with anything but text outside of JSON formats cannot be saved. */
function contentOf(type: string, content: unknown): unknown {
  if (isJsonType(type)) return cleanJson(content)
  if (typeof content === 'string') return content
  return content instanceof Uint8Array ? Buffer.from(content).toString('base64') : inspect(content)
}
