// SPDX-License-Identifier: GPL-2.0-or-later
// What a notebook gets of each value.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { extname, join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { bundlesOf } from '../../../kernel/display/bundle.ts'
import { samples, seed, someDump, someTasks, someVm } from '../../core/view/samples.ts'

const vegaLite = 'application/vnd.vegalite.v5+json'
const withMap = { ...seed, vm: { memslots: someVm.memslots } }

test('undefined shows nothing', async () => {
  assert.deepEqual(await bundlesOf(undefined), [])
})

for (const [name, value, text] of [
  ['null', null, 'null'],
  ['a bigint', 0x10n, '16n'],
  ['an object', { a: [1, 2] }, '{ a: [ 1, 2 ] }'],
  ['text', 'a\nb', "'a\\nb'"],
] as const) {
  test(`${name} is shown as Node shows it`, async () => {
    assert.deepEqual(await bundlesOf(value), [{ data: { 'text/plain': text }, metadata: {} }])
  })
}

test('a translation with its virtual machine is two messages, the table first', async () => {
  const [table, chart, ...more] = await bundlesOf(withMap)
  assert.deepEqual(more, [])
  assert.deepEqual(Object.keys(table?.data ?? {}), ['text/html', 'text/plain'])
  assert.deepEqual(Object.keys(chart?.data ?? {}), [vegaLite, 'image/svg+xml', 'text/plain'])
  // Where JupyterLab finds embed_options in the metadata, it writes its own theme into the notebook.
  assert.deepEqual(chart?.metadata, {})
  assert.deepEqual(Reflect.get(Object(chart.data[vegaLite]), 'usermeta'), {
    embedOptions: { actions: false, renderer: 'svg' },
  })
})

test('a value may show itself, and gets a text when it brings none', async () => {
  const own = { [Symbol.for('Jupyter.display')]: () => ({ 'text/html': '<b>mine</b>' }) }
  const [bundle] = await bundlesOf(own)
  assert.equal(bundle?.data['text/html'], '<b>mine</b>')
  assert.equal(typeof bundle.data['text/plain'], 'string')
  const later = { [Symbol.for('Jupyter.display')]: () => Promise.resolve({ 'text/plain': 'x' }) }
  assert.deepEqual(await bundlesOf(later), [{ data: { 'text/plain': 'x' }, metadata: {} }])
})

test('what shows itself as no bundle is shown as Node shows it', async () => {
  const odd = { [Symbol.for('Jupyter.display')]: () => 'no bundle' }
  const [bundle] = await bundlesOf(odd)
  assert.deepEqual(Object.keys(bundle?.data ?? {}), ['text/plain'])
})

test('JSON stands only under types that end in +json, text under all others', async () => {
  for (const value of [withMap, someVm, someDump, someTasks, ...Object.values(samples)]) {
    for (const { data } of await bundlesOf(value)) {
      for (const [type, content] of Object.entries(data)) {
        assert.equal(typeof content, type.endsWith('+json') ? 'object' : 'string', type)
      }
    }
  }
})

test('every bundle keeps its budget: HTML 20 KB, spec 40 KB, SVG 60 KB, text 8 KB', async () => {
  const limits: Readonly<Record<string, number>> = {
    'text/html': 20_000,
    [vegaLite]: 40_000,
    'image/svg+xml': 60_000,
    'text/plain': 8_000,
  }
  for (const value of [withMap, someVm, someDump, someTasks, ...Object.values(samples)]) {
    for (const { data } of await bundlesOf(value)) {
      for (const [type, content] of Object.entries(data)) {
        const bytes = Buffer.byteLength(
          typeof content === 'string' ? content : JSON.stringify(content),
        )
        assert.ok(bytes <= (limits[type] ?? 0), `${type}: ${bytes} bytes`)
      }
    }
  }
})

test('the same bytes come out in two processes, in two orders', async () => {
  const script = join(import.meta.dirname, `draw${extname(import.meta.filename)}`)
  const run = promisify(execFile)
  const options = { maxBuffer: 2 ** 24 }
  const [one, other] = await Promise.all([
    run(process.execPath, [script], options),
    run(process.execPath, [script, 'reverse'], {
      ...options,
      env: { ...process.env, TZ: 'Asia/Kolkata', LANG: 'de_DE.UTF-8' },
    }),
  ])
  assert.ok(one.stdout.length > 10_000)
  assert.equal(one.stdout, other.stdout)
})

test('a bundle of nothing shows nothing', async () => {
  assert.deepEqual(await bundlesOf({ [Symbol.for('Jupyter.display')]: () => ({}) }), [])
})
