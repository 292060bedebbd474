// SPDX-License-Identifier: GPL-2.0-or-later
// The JSON text of a notebook as Python's nbformat writes it: sorted members, indent of 1, text as lists of lines.
import { isJsonObject, type JsonObject } from '../protocol/messages.ts'

/** Text that the file holds as text or as a list of lines; undefined when it is neither. */
export function joinLines(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (Array.isArray(value) && value.every((line) => typeof line === 'string')) return value.join('')
  return undefined
}

/** The whole text of the file. Equal notebooks give equal bytes, whoever wrote them before. */
export function formatNotebook(notebook: JsonObject): string {
  return `${toJson(forFile(notebook), '\n')}\n`
}

/** A copy that lacks the named members. */
export function without(value: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)))
}

/** What nbformat leaves out of a file, and the text that it splits into lines. */
function forFile(notebook: JsonObject): JsonObject {
  const metadata = without(object(notebook['metadata']), [
    'orig_nbformat',
    'orig_nbformat_minor',
    'signature',
  ])
  return { ...notebook, metadata, cells: list(notebook['cells']).map(cellForFile) }
}

function cellForFile(value: unknown): JsonObject {
  const cell = object(value)
  const metadata = without(object(cell['metadata']), ['trusted'])
  const split: JsonObject = { ...cell, metadata, source: splitLines(cell['source']) }
  if (isJsonObject(cell['attachments'])) {
    split['attachments'] = Object.fromEntries(
      Object.entries(cell['attachments']).map(([name, bundle]) => [name, splitBundle(bundle)]),
    )
  }
  if (cell['cell_type'] === 'code') split['outputs'] = list(cell['outputs']).map(outputForFile)
  return split
}

function outputForFile(value: unknown): JsonObject {
  const output = object(value)
  const split = { ...output }
  if ('data' in output) split['data'] = splitBundle(output['data'])
  if (output['output_type'] === 'stream') split['text'] = splitLines(output['text'])
  return split
}

/** Of a mime bundle only text, SVG and JavaScript are split; JSON stays JSON and base64 one line. */
function splitBundle(value: unknown): JsonObject {
  return Object.fromEntries(
    Object.entries(object(value)).map(([mime, content]) => [
      mime,
      /^text\/|^image\/svg\+xml$|^application\/javascript$/.test(mime)
        ? splitLines(content)
        : content,
    ]),
  )
}

// The ends of lines for Python's str.splitlines: \n \v \f \r, file, group and record separator, NEL, LS, PS.
const lineEnds = new Set([10, 11, 12, 13, 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029])

/** The lines of a text, each with its end; anything else as it is. */
function splitLines(value: unknown): unknown {
  if (typeof value !== 'string') return value
  const lines: string[] = []
  let start = 0
  for (let i = 0; i < value.length; i++) {
    if (!lineEnds.has(value.charCodeAt(i))) continue
    if (value.startsWith('\r\n', i)) i++
    lines.push(value.slice(start, i + 1))
    start = i + 1
  }
  if (start < value.length) lines.push(value.slice(start))
  return lines
}

/** Written by hand, because JSON.stringify puts members with numbers as names first. */
function toJson(value: unknown, newline: string): string {
  const inner = `${newline} `
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]'
    return `[${value.map((item) => inner + toJson(item, inner)).join(',')}${newline}]`
  }
  if (isJsonObject(value)) {
    const members = Object.keys(value)
      .filter((name) => value[name] !== undefined)
      .sort(byCodePoint)
      .map((name) => `${inner}${JSON.stringify(name)}: ${toJson(value[name], inner)}`)
    return members.length === 0 ? '{}' : `{${members.join(',')}${newline}}`
  }
  return value === undefined ? 'null' : JSON.stringify(value)
}

/** Python's order of text. JavaScript compares UTF-16 units, which puts U+1F600 before U+FF5E. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function object(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {}
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}
