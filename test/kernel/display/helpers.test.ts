// SPDX-License-Identifier: GPL-2.0-or-later
// What the helpers of cells make: every bundle is what a notebook can hold, and has a text.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { inspect } from 'node:util'
import { type Bundle, bundlesOf } from '../../../kernel/display/bundle.ts'
import {
  full,
  html,
  image,
  json,
  markdown,
  svg,
  vegaLite,
} from '../../../kernel/display/helpers.ts'
import { table } from '../../../kernel/display/table.ts'

const hostile = '<script>alert("1")</script>&\u202e'
// A picture of one point, as a well-known minimal file.
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)
const vega = 'application/vnd.vegalite.v5+json'

async function only(value: unknown): Promise<Bundle> {
  const [bundle, ...more] = await bundlesOf(value)
  assert.ok(bundle)
  assert.deepEqual(more, [])
  assert.equal(typeof bundle.data['text/plain'], 'string')
  return bundle
}

suite('html', () => {
  test('escapes what is put into a template, and only that', async () => {
    const { data } = await only(html`<b>${hostile}</b> is ${1n}`)
    assert.equal(
      data['text/html'],
      '<b>&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;\\u202e</b> is 1',
    )
  })

  test('has the words as its text, without tags, scripts and styles', async () => {
    const text = '<style>b {}</style><p>a &amp; <b>b</b></p><script>1 < 2</script><p>c</p>'
    const { data } = await only(html(text))
    assert.equal(data['text/html'], text)
    assert.equal(data['text/plain'], 'a & b\nc')
  })
})

test('markdown is its own text', async () => {
  const { data } = await only(markdown`# ${'title'}\n* a`)
  assert.deepEqual(data, { 'text/markdown': '# title\n* a', 'text/plain': '# title\n* a' })
})

suite('svg', () => {
  test('has its title as its text', async () => {
    const text =
      '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><title>A slot</title></svg>'
    const { data } = await only(svg(text))
    assert.deepEqual(data, { 'image/svg+xml': text, 'text/plain': 'A slot' })
  })

  test('refuses what is no drawing', () => {
    assert.throws(() => svg('<b>x</b>'), /svg takes the text of a drawing, which begins with <svg/)
  })
})

suite('image', () => {
  test('tells the format by the bytes, from a file too', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'test-image-'))
    try {
      const file = join(folder, 'picture.dat')
      writeFileSync(file, png)
      for (const source of [png, new Uint8Array(png), file]) {
        const { data, metadata } = await only(image(source, { alt: 'a point', width: 8 }))
        assert.deepEqual(data, { 'image/png': png.toString('base64'), 'text/plain': 'a point' })
        assert.deepEqual(metadata, { 'image/png': { width: 8 } })
      }
      writeFileSync(file, '<svg></svg>')
      assert.equal((await only(image(file))).data['image/svg+xml'], '<svg></svg>')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  const heads = [
    { head: '\xff\xd8\xff\xe0', type: 'image/jpeg' },
    { head: 'GIF89a', type: 'image/gif' },
    { head: 'RIFF\x10\0\0\0WEBPVP8 ', type: 'image/webp' },
  ]
  for (const { head, type } of heads) {
    test(`knows ${type}`, async () => {
      const { data } = await only(image(Buffer.from(head, 'latin1')))
      assert.ok(type in data)
      assert.match(String(data['text/plain']), /^a picture \([A-Z]+, \d+ bytes\)$/)
    })
  }

  test('refuses what is no picture, with its name and size', () => {
    assert.throws(() => image(Buffer.from('text')), /image: 4 bytes that begin like no PNG/)
    assert.throws(() => image('/no/such/file.png'), /ENOENT/)
  })
})

test('vegaLite carries the chart, a drawing of it and its description', async () => {
  const spec = {
    title: { text: 'Pages' },
    description: 'two bars',
    data: { values: [{ a: 1n, b: 2 }] },
    mark: 'bar',
    encoding: { y: { field: 'b', type: 'quantitative' } },
  }
  const { data, metadata } = await only(vegaLite(spec))
  assert.deepEqual(Object.keys(data), [vega, 'image/svg+xml', 'text/plain'])
  assert.match(String(data['image/svg+xml']), /^<svg role="img"[^]*<title>Pages<\/title>[^]*<path /)
  assert.equal(data['text/plain'], 'two bars')
  const chart = data[vega] as { $schema: string; data: unknown }
  assert.match(chart.$schema, /v5\.json$/)
  assert.deepEqual(chart.data, { values: [{ a: '0x1', b: 2 }] })
  assert.ok(vega in metadata)
  await assert.rejects(only(vegaLite({})), /Invalid specification/)
})

test('json holds bigints as hex text', async () => {
  const { data, metadata } = await only(
    json({ gpa: 0x34de5840n, list: [NaN, -1n] }, { expanded: true }),
  )
  assert.deepEqual(data['application/json'], { gpa: '0x34de5840', list: [null, '-0x1'] })
  assert.match(String(data['text/plain']), /"gpa": "0x34de5840"/)
  assert.deepEqual(metadata, { 'application/json': { expanded: true } })
})

test('full leaves nothing out', async () => {
  const { data } = await only(full(Array.from({ length: 5000 }, (_, i) => i)))
  assert.match(String(data['text/plain']), / 4999\n\]$/)
  assert.equal((await only(full('x'.repeat(100_000)))).data['text/plain'], 'x'.repeat(100_000))
})

suite('table', () => {
  test('takes its columns from the rows, numbers right and bigints as addresses', async () => {
    const { data } = await only(
      table([
        { pid: 1, at: 0x1000n },
        { pid: 23, name: hostile },
      ]),
    )
    const text = String(data['text/plain'])
    assert.deepEqual(text.split('\n').slice(0, 3), [
      '2 rows',
      'pid      at  name',
      '  1  0x1000  -',
    ])
    assert.doesNotMatch(String(data['text/html']), /<script/)
    assert.match(String(data['text/html']), /&lt;script&gt;/)
  })

  test('takes the columns that it is told, of getters too, and a caption', () => {
    class Slot {
      readonly id = 7
      get size(): number {
        return 5
      }
    }
    const shown = table([new Slot()], { columns: ['size', 'id'], caption: 'slots' })
    assert.equal(inspect(shown), 'slots - 1 row\nsize  id\n   5   7')
  })

  test('takes lists of lists, maps and plain values', () => {
    assert.match(inspect(table([[1, 'a']])), /^1 row\n0 {2}1\n1 {2}a$/)
    assert.match(inspect(table(new Map([['k', 2]]))), /^1 row\n0 {2}1\nk {2}2$/)
    assert.match(inspect(table(['x'])), /^1 row\nvalue\nx$/)
  })

  test('cuts long lists and says how to see all', () => {
    const rows = Array.from({ length: 1000 }, (_, n) => ({ n }))
    const text = inspect(table(rows))
    assert.match(text, /^1,000 rows\n/)
    assert.match(text, /\.\.\. 950 more: table\(rows, \{ rows: Infinity \}\)/)
    assert.match(text, / 46\n\.\.\..*\n997\n998\n999$/)
    assert.equal(inspect(table(rows, { rows: Infinity })).split('\n').length, 1002)
  })
})

test('what a value says of itself is made fit for a notebook', async () => {
  const own = (bundle: object): object => ({ [Symbol.for('Jupyter.display')]: () => bundle })
  const odd = own({
    'application/x+json': { a: 1n },
    'image/png': png,
    'text/plain': 5,
    'text/html': undefined,
  })
  assert.deepEqual(await only(odd), {
    data: {
      'application/x+json': { a: '0x1' },
      'image/png': png.toString('base64'),
      'text/plain': '5',
    },
    metadata: {},
  })
})
