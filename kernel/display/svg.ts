// SPDX-License-Identifier: GPL-2.0-or-later
// A chart as SVG, drawn without a screen: for viewers that do not run Vega, and for pages made of notebooks.

import { createHash } from 'node:crypto'
import { type TopLevelSpec } from 'vega-lite'
import { type Spec } from './chart/spec.ts'

/**
 * The SVG of a Vega-Lite spec, the same bytes on every machine and in every run. The libraries are loaded with the
 * first chart: that takes a third of a second.
 */
export async function svgOf(spec: Spec, title: string, description: string): Promise<string> {
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')])
  // Without a canvas Vega guesses that every letter is 0.8 of its height wide, and legends come out far too wide.
  // The object is one of Vega's documented exports, but its types leave it out.
  Object.assign((vega as unknown as { textMetrics: object }).textMetrics, { width: textWidth })
  const quiet = vega.logger(vega.Error)
  const config = spec['config'] ?? {}
  // A spec is built as plain JSON, as it goes into the notebook; whether Vega-Lite takes it is for tests to show.
  const compiled = compile(
    {
      ...spec,
      background: '#ffffff',
      padding: 8,
      config: { ...config, aria: false },
    } as TopLevelSpec,
    { logger: quiet },
  )
  const view = new vega.View(vega.parse(compiled.spec), { renderer: 'none', logger: quiet })
  try {
    return tidy(await view.toSVG(), title, description)
  } finally {
    view.finalize()
  }
}

const narrow = /[iljI.,:;|!'()[\]ft ]/
const wide = /[mwMW@%]/
const capital = /[A-Z]/

/** What is known of a text that is to be drawn. A longer one than `limit` pixels is cut when it is drawn. */
interface TextItem {
  readonly fontSize?: number
  readonly font?: string
  readonly fontWeight?: unknown
  readonly limit?: number
}

/** The width of a text in pixels, from the usual widths of letters in sans-serif fonts. */
function textWidth(item: TextItem, text: unknown): number {
  const width = lettersWidth(item, String(text))
  const { limit = 0 } = item
  return limit > 0 ? Math.min(width, limit) : width
}

function lettersWidth(item: TextItem, letters: string): number {
  const size = item.fontSize ?? 11
  if (/mono/i.test(item.font ?? '')) return letters.length * size * 0.602
  let width = 0
  for (const letter of letters) {
    if (narrow.test(letter)) width += 0.34
    else if (wide.test(letter)) width += 0.9
    else width += capital.test(letter) ? 0.68 : 0.58
  }
  const isBold = item.fontWeight === 'bold' || Number(item.fontWeight) >= 600
  return width * size * (isBold ? 1.08 : 1)
}

/** Steady ids, a title for those who do not see it, short numbers, no blank texts, one element a line for diffs. */
function tidy(svg: string, title: string, description: string): string {
  const named = renumber(
    svg.replace(/\d+\.\d{3,}/g, (number) => String(Number(Number(number).toFixed(2)))),
  )
  const words = `<title>${escape(title)}</title><desc>${escape(description)}</desc>`
  return named
    .replace(/<text [^>]*\/>/g, '')
    .replace(/^<svg ([^>]*)>/, (_, attributes: string) => `<svg role="img" ${attributes}>${words}`)
    .replaceAll('><', '>\n<')
}

/**
 * Vega numbers its clip paths over the life of the process. Here they are numbered by first use, after a hash of the
 * picture, so that the same chart is the same text, and two charts on one page do not clip each other.
 */
function renumber(svg: string): string {
  const order: string[] = []
  const at = (id: string): number => {
    if (!order.includes(id)) order.push(id)
    return order.indexOf(id) + 1
  }
  const id = /\b(clip|gradient_)(\d+)\b/g
  const plain = svg.replace(id, (name) => `k-${at(name)}`)
  const hash = createHash('sha256').update(plain).digest('hex').slice(0, 8)
  return svg.replace(id, (name) => `k${hash}-${at(name)}`)
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
