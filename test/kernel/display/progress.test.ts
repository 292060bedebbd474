// SPDX-License-Identifier: GPL-2.0-or-later
// Bars as text and as HTML that a notebook keeps.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { progressBundle, type ProgressState } from '../../../kernel/display/progress.ts'

const scan: ProgressState = {
  label: '',
  unit: 'pages',
  done: 3_523_215,
  total: 8_388_608,
  state: 'running',
  seconds: 1.835,
}

const rows: readonly { readonly state: Partial<ProgressState>; readonly text: string }[] = [
  {
    state: { done: 3_523_216 },
    text: '[########............]  42 %  3,523,216 / 8,388,608 pages  1.92 M/s  2.5 s left',
  },
  {
    state: { label: 'reading', unit: '', done: 9, total: 5000, seconds: 4 },
    text: 'reading  [....................]   0 %  9 / 5,000  2.25/s  36 min 58 s left',
  },
  {
    state: { label: 'a label that is longer than its place' },
    text: 'a label that is longe...  [##....]  41 %  3,523,215 / 8,388,608 pages  1.92 M/s',
  },
  {
    state: { done: 8_388_607, seconds: 0 },
    text: '[###################.]  99 %  8,388,607 / 8,388,608 pages',
  },
  { state: { total: null }, text: '3,523,215 pages  1.92 M/s' },
  { state: { done: 0, total: 0 }, text: '0 / 0 pages' },
  { state: { state: 'done', label: 'scan' }, text: 'scan: 3,523,215 pages done' },
  { state: { state: 'stopped' }, text: 'stopped at 41 % (3,523,215 of 8,388,608 pages)' },
  { state: { state: 'stopped', total: null }, text: 'stopped after 3,523,215 pages' },
]

suite('a bar as text', () => {
  for (const { state, text } of rows) {
    test(`is ${JSON.stringify(text)}`, () => {
      const shown = String(progressBundle({ ...scan, ...state }).data['text/plain'])
      assert.equal(shown, text)
      assert.ok(shown.length <= 79)
    })
  }
})

suite('a bar as HTML', () => {
  const hostile = { ...scan, label: '<img onerror=alert(1)>', unit: '<script>' }
  for (const state of ['running', 'done', 'stopped'] as const) {
    test(`that is ${state} needs no script, style sheet, id or drawing, and escapes what it is given`, () => {
      const html = String(progressBundle({ ...hostile, state }).data['text/html'])
      assert.doesNotMatch(html, /<(script|style|svg|link|iframe|object|a|img|progress)\b/i)
      assert.doesNotMatch(html, / (id|on\w+|data-[\w-]+|aria-[\w-]+|role)="/i)
      assert.match(html, /&lt;script&gt;/)
    })
  }

  test('keeps the same formats from the first to the last', () => {
    const keys = (['running', 'done', 'stopped'] as const).map((state) =>
      Object.keys(progressBundle({ ...scan, state }).data),
    )
    for (const each of keys) assert.deepEqual(each, ['text/html', 'text/plain'])
  })

  test('says the same with all styles gone', () => {
    const html = String(progressBundle(scan).data['text/html'])
    const words = html.replaceAll(/<[^>]*>/g, '').replaceAll('\u2007', ' ')
    assert.equal(words.trim(), '41 % 3,523,215 / 8,388,608 pages 1.92 M/s · 2.5 s left')
  })
})
