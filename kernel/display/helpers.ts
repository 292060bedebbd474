// SPDX-License-Identifier: GPL-2.0-or-later
// What a cell calls to show text, pictures and charts of its own. The comments are what Shift+Tab shows.

import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { type Bundle, cleanJson, Drawn } from './drawn.ts'
import { escapeHtml } from './html.ts'
import { svgOf } from './svg.ts'

/** A template, or a whole text. */
type Text = string | TemplateStringsArray

/**
 * HTML: ``html`<b>${vm.name}</b>` `` escapes what is put in; `html(text)` takes the text as it is.
 * Other people's viewers take scripts, style sheets and drawings out of it.
 */
export function html(text: Text, ...values: readonly unknown[]): Drawn {
  const whole = fill(text, values, (value) => escapeHtml(String(value)))
  return drawn({ 'text/html': whole, 'text/plain': plainOf(whole) })
}

/** Markdown: ``markdown`# title` `` or `markdown(text)`. */
export function markdown(text: Text, ...values: readonly unknown[]): Drawn {
  const whole = fill(text, values, String)
  return drawn({ 'text/markdown': whole, 'text/plain': whole })
}

/** A drawing: the text of an SVG. Its `<title>` is what a console shows. */
export function svg(text: Text, ...values: readonly unknown[]): Drawn {
  const whole = fill(text, values, (value) => escapeHtml(String(value)))
  if (!/^\s*(<\?xml[^>]*>\s*)?(<!--[^]*?-->\s*)*<svg[\s>]/.test(whole)) {
    throw new TypeError('svg takes the text of a drawing, which begins with <svg')
  }
  const title = /<title[^>]*>([^<]*)<\/title>/.exec(whole)?.[1] ?? ''
  return drawn({ 'image/svg+xml': whole, 'text/plain': plainOf(title) || 'a drawing (SVG)' })
}

/** How a picture is shown. */
export interface ImageOptions {
  /** What is to be seen in it, for those who do not see it. */
  readonly alt?: string
  /** In pixels. */
  readonly width?: number
  /** In pixels. */
  readonly height?: number
}

/** A picture from a file or from its bytes: PNG, JPEG, GIF, WebP or SVG. */
export function image(source: string | URL | Uint8Array, options: ImageOptions = {}): Drawn {
  const bytes = source instanceof Uint8Array ? source : readFileSync(source)
  const type = imageType(bytes)
  const name = source instanceof Uint8Array ? '' : ` ${String(source)}`
  if (type === undefined) {
    throw new TypeError(
      `image${name}: ${bytes.length} bytes that begin like no PNG, JPEG, GIF, WebP or SVG`,
    )
  }
  if (type === 'image/svg+xml') return svg(Buffer.from(bytes).toString())
  const { alt, ...size } = options
  const text = alt ?? `a picture (${type.slice(6).toUpperCase()}, ${count(bytes.length)} bytes)`
  const data = { [type]: Buffer.from(bytes).toString('base64'), 'text/plain': text }
  return drawn(data, Object.keys(size).length === 0 ? {} : { [type]: size })
}

/**
 * A chart from a Vega-Lite specification, with its rows in `data.values`. It is shown as a drawing
 * where no Vega is. `description` in the specification is what a console shows.
 */
export function vegaLite(spec: Readonly<Record<string, unknown>>): Drawn {
  const type = 'application/vnd.vegalite.v5+json'
  const whole = {
    $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
    ...(cleanJson(spec) as Record<string, unknown>),
  }
  const title = titleOf(spec['title']) || 'a chart'
  const description = typeof spec['description'] === 'string' ? spec['description'] : title
  return new Drawn(description, async () => ({
    data: {
      [type]: whole,
      'image/svg+xml': await svgOf(whole, title, description),
      'text/plain': description,
    },
    metadata: { [type]: { embed_options: { actions: false, renderer: 'svg' } } },
  }))
}

/** A tree to open and close, of anything that JSON can hold; bigints become hex text. */
export function json(value: unknown, options: { readonly expanded?: boolean } = {}): Drawn {
  const type = 'application/json'
  const clean = cleanJson(value)
  const text = JSON.stringify(clean, null, 2)
  const metadata = options.expanded === undefined ? {} : { [type]: { expanded: options.expanded } }
  return drawn({ [type]: clean, 'text/plain': text }, metadata)
}

/** All of a value as text: nothing is left out, however long it is. */
export function full(value: unknown): Drawn {
  const all = { depth: Infinity, maxArrayLength: Infinity, maxStringLength: Infinity }
  return drawn({ 'text/plain': typeof value === 'string' ? value : inspect(value, all) })
}

function drawn(data: Bundle['data'] & { 'text/plain': string }, metadata: object = {}): Drawn {
  const bundle = { data, metadata: metadata as Bundle['metadata'] }
  return new Drawn(data['text/plain'], () => bundle)
}

function fill(text: Text, values: readonly unknown[], made: (value: unknown) => string): string {
  if (typeof text === 'string') return text
  return text.map((part, i) => part + (i < values.length ? made(values[i]) : '')).join('')
}

/** A title is a text, lines of text, or an object with them. */
function titleOf(title: unknown): string {
  if (typeof title === 'string') return title
  if (Array.isArray(title)) return title.map(titleOf).join(' ')
  return typeof title === 'object' && title !== null && 'text' in title ? titleOf(title.text) : ''
}

/** The words of HTML without its tags, blocks on lines of their own. */
function plainOf(text: string): string {
  return text
    .replace(/<(script|style)\b[^]*?<\/\1\s*>/gi, '')
    .replace(/<(br|\/?(p|div|tr|li|h[1-6]|table|ul|ol|pre))\b[^>]*>/gi, '\n')
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&nbsp;', ' ')
    .replaceAll('&amp;', '&')
    .replace(/[ \t]+/g, ' ')
    .replace(/ ?\n[ \n]*/g, '\n')
    .trim()
}

/** By the first bytes, as the formats' own specifications give them. */
function imageType(bytes: Uint8Array): string | undefined {
  const head = Buffer.from(bytes.subarray(0, 256)).toString('latin1')
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png'
  if (head.startsWith('\xff\xd8\xff')) return 'image/jpeg'
  if (/^GIF8[79]a/.test(head)) return 'image/gif'
  if (/^RIFF[^]{4}WEBP/.test(head)) return 'image/webp'
  return /^(\xef\xbb\xbf)?\s*(<\?xml|<!--|<svg[\s>])/.test(head) ? 'image/svg+xml' : undefined
}

function count(number: number): string {
  return number.toLocaleString('en-US')
}
