// SPDX-License-Identifier: GPL-2.0-or-later
// The HTML of results: the look of an untrusted notebook is the design, and without any style it still reads.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { viewOf } from '../../../core/index.ts'
import { htmlOf } from '../../../kernel/display/html.ts'
import { progressBundle } from '../../../kernel/display/progress.ts'
import {
  rawStruct,
  rawStructOf,
  samples,
  seed,
  slotMapInput,
  someDump,
  someTasks,
  someVm,
  vma,
} from '../../core/view/samples.ts'

const half = {
  label: 'reading',
  unit: 'pages',
  done: 5,
  total: 10,
  state: 'running',
  seconds: 1,
} as const

const bar = {
  kind: 'table',
  caption: 'a bar',
  remark: null,
  columns: [{ name: 'state', align: 'left' }],
  rows: [
    [
      {
        bar: [
          { tone: 'swapped', share: 0.4 },
          { tone: 'poisoned', share: 0.6 },
        ],
        text: 'swapped 40 %',
      },
    ],
  ],
  cut: { after: 1, hidden: 9, all: 'show(x, { rows: Infinity })' },
} as const

const pages: readonly (readonly [name: string, html: string])[] = [
  ...Object.entries({
    ...samples,
    'a walk': seed.walk,
    memslots: slotMapInput.slots.map(({ slot }) => slot),
    VMAs: [vma, vma],
    'a virtual machine': someVm,
    'a dump': someDump,
    tasks: someTasks,
    'a task': someTasks[0],
    'a structure': rawStruct,
  }).map(([name, value]) => [name, htmlOf(viewOf(value)?.blocks ?? [])] as const),
  ['a bar', htmlOf([bar])],
  ['progress', String(progressBundle(half).data['text/html'])],
]

for (const [name, html] of pages) {
  test(`'${name}' needs no script, style sheet, id, link or drawing`, () => {
    assert.doesNotMatch(html, /<(script|style|svg|link|iframe|object|a|img)\b/i)
    assert.doesNotMatch(html, / (id|on\w+|data-[\w-]+|aria-[\w-]+|role)=/i)
  })

  test(`'${name}' reads with all styles gone: every cell has words, neighbours are apart`, () => {
    const bare = html.replace(/ (style|class|title)="[^"]*"/g, '')
    for (const [, cell = ''] of bare.matchAll(/<t[dh](?: [^>]*)?>(.*?)<\/t[dh]>/g)) {
      assert.ok(cell.replace(/<[^>]*>/g, '').trim() !== '', bare.slice(0, 300))
    }
    assert.doesNotMatch(bare, /<\/span><span/)
  })
}

// What JupyterLab 4 lets through of the tags, attributes and styles that are used here (its sanitizer.ts), by shape.
const colour = [/^#[0-9a-f]{3,8}$/i, /^rgba?\(\d+,\d+,\d+(,[\d.]+)?\)$/, /^[a-z]+$/]
const lengths = [/^(-?[\d.]+(px|em|%)?|auto)( (-?[\d.]+(px|em|%)?|auto)){0,3}$/]
const word = [/^[a-z-]+$/]
const allowed = {
  allowedTags: [
    ...['table', 'caption', 'thead', 'tbody', 'tr', 'th', 'td', 'div', 'span', 'i', 'code', 'wbr'],
    ...['details', 'summary'],
  ],
  allowedAttributes: {
    '*': ['class', 'dir', 'lang', 'style', 'title', 'translate'],
    th: ['scope', 'colspan', 'rowspan', 'align'],
    td: ['colspan', 'rowspan', 'align'],
    details: ['open'],
  },
  allowedStyles: {
    '*': {
      'align-items': word,
      color: colour,
      background: colour,
      'background-color': colour,
      'border-bottom': [/^\d+px (solid|dashed) (#[0-9a-f]{3,8}|rgba?\([\d.,]+\))$/],
      'border-collapse': word,
      'border-radius': lengths,
      'caption-side': word,
      cursor: word,
      display: [/^(block|inline-block|flex|inline-flex)$/],
      'font-family': [/^[\w', -]+$/],
      'font-size': lengths,
      'font-weight': [/^(\d{3}|bold|normal)$/],
      gap: lengths,
      height: lengths,
      'line-height': lengths,
      margin: lengths,
      'max-width': lengths,
      overflow: word,
      'overflow-x': word,
      padding: lengths,
      'text-align': [/^(left|right|center|justify)$/],
      'vertical-align': word,
      'white-space': word,
      width: lengths,
    },
  },
}

type Sanitize = (html: string, options: object) => string
const sanitize = await loadSanitizer()
const skip = sanitize === undefined && 'the dev dependency sanitize-html is not installed'

for (const [name, html] of pages) {
  test(
    `the sanitiser of an untrusted notebook takes only theme colours from '${name}'`,
    { skip },
    () => {
      const without = html.replaceAll(';color:var(--jp-ui-font-color2,#777)', '')
      assert.equal(plain(sanitize?.(html, allowed) ?? ''), plain(without))
    },
  )
}

test('a sanitiser that takes more is noticed', { skip }, () => {
  assert.notEqual(
    plain(sanitize?.('<svg><text>x</text></svg>', allowed) ?? ''),
    '<svg><text>x</text></svg>',
  )
})

test('names made to break out of the page are text', () => {
  const evil = `<img src=x onerror="alert(1)">'&\u202e\n</td><script>`
  const views = [
    {
      ...seed,
      reason: evil,
      subject: { pid: 1, comm: evil, vmName: evil },
      vma: { ...vma, file: evil },
    },
    { ...samples['swapped'], swap: { type: 0, offset: 1, path: evil, cachedAt: null } },
    { ...someVm, name: evil, uuid: evil, task: { pid: 1, comm: evil } },
    [{ ...someTasks[0], comm: evil, state: evil, commandLine: [evil] }],
    { ...someDump, path: `/x/${evil}`, release: evil, build: evil },
    rawStructOf(evil, 8, 1n, { [evil]: () => evil }),
  ]
  for (const value of views) {
    const html = htmlOf(viewOf(value)?.blocks ?? [])
    assert.match(html, /&lt;(img|script)/)
    assert.doesNotMatch(html, /<img|<script|onerror="|\u202e|\n/)
  }
})

async function loadSanitizer(): Promise<Sanitize | undefined> {
  const name: string = 'sanitize-html'
  try {
    const module = (await import(name)) as { default: Sanitize }
    return module.default
  } catch {
    return undefined
  }
}

/** The same spelling for what is the same: entities, and the way an attribute without a value is written. */
function plain(html: string): string {
  return html
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replaceAll('&middot;', '·')
    .replaceAll('&quot;', '"')
    .replaceAll('<details open=""', '<details open')
    .replaceAll('<wbr></wbr>', '<wbr>')
}

test('flags break into lines of twenty letters at least, and none of them is torn', () => {
  const flags = 'READ|WRITE|MAYREAD|MAYWRITE|MAYEXEC|DONTCOPY|ACCOUNT|SOFTDIRTY'
  const html = htmlOf([
    { kind: 'fields', caption: null, fields: [{ name: 'flags', value: flags }] },
  ])
  const lines = (/<td[^>]*>(.*?)<\/td>/.exec(html)?.[1] ?? '').split('<wbr>')
  assert.deepEqual(lines.map(plainText), [
    'READ|WRITE|MAYREAD|MAYWRITE|',
    'MAYEXEC|DONTCOPY|ACCOUNT|',
    'SOFTDIRTY',
  ])
  for (const line of lines) assert.match(line, /^<span style="white-space:nowrap">/)
})

function plainText(html: string): string {
  return html.replace(/<[^>]*>/g, '')
}
