// SPDX-License-Identifier: GPL-2.0-or-later
// The charts of a coverage as Vega-Lite specs: of the real dumps, and of the largest guests that there can be.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Chart, openDump, viewOf } from '../../../../core/index.ts'
import { specOf } from '../../../../kernel/display/chart/index.ts'
import { svgOf } from '../../../../kernel/display/svg.ts'
import { kernels, realDump } from '../../../place.ts'
import { engines } from '../engines.ts'

const tones = ['mapped 1G', 'mapped 2M', 'mapped 4K', 'swapped', 'not touched', 'poisoned'] as const
const words = {
  title: 'A title',
  subtitle: 'more of it',
  description: 'in one sentence',
  text: '-',
}

/** No two neighbours are alike, and every address has 13 digits. */
const restless: Chart = {
  ...words,
  chart: 'heat-map',
  cell: 2 ** 32,
  rows: Array.from({ length: 32 }, (_, i) => 2 ** 51 + i * 2 ** 39),
  jumps: [3, 9, 30],
  states: Array.from({ length: 2048 }, (_, i) => (i * 7) % 6).join(''),
  shares: Array.from({ length: 2048 }, (_, i) => (1 + ((i * 3) % 10)).toString(16)).join(''),
  tones,
}
const nodes = Array.from({ length: 64 }, (_, i) => `node ${i}`)
const numa: Chart = {
  ...words,
  chart: 'node-bars',
  unit: 'TiB',
  pieces: nodes.flatMap((node, i) =>
    tones.slice(0, 3).map((tone, j) => ({
      ...{ node, tone, from: (i * j) / 64, to: (i * (j + 1)) / 64, size: '1.23 TiB' },
    })),
  ),
  ends: nodes.map((node, i) => ({ node, at: (i * 3) / 64, label: '1.23 TiB · 12.3 %' })),
  tones: tones.slice(0, 3),
}
const extents: Chart = {
  ...words,
  chart: 'extent-bars',
  bars: Array.from({ length: 20 }, (_, i) => ({
    ...{ from: `${2 ** (i % 10)}K`.padEnd(i), percent: i, share: `${i} %` },
    ...{ runs: '123,456,789', size: '12.3 TiB', label: '123M' },
  })),
}

const charts: (readonly [name: string, chart: Chart])[] = [
  ['a restless heat map', restless],
  ['64 nodes', numa],
  ['20 classes of runs', extents],
]
for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  if (skip !== false) continue
  const dump = openDump(path)
  for (const vm of dump.vms.slice(0, kernel === '6.12' ? 2 : 1)) {
    // One part is enough: each chart is drawn four times.
    const parts = kernel === '5.10' ? [{ from: 0x100000, to: 0x2000000 }] : [{}]
    for (const options of parts) {
      for (const chart of viewOf(vm.coverage(options))?.charts ?? []) {
        const part = 'from' in options ? ', a part' : ''
        charts.push([`${chart.chart} of ${vm.name ?? '?'} in ${kernel}${part}`, chart])
      }
    }
  }
  dump.close()
}

test('the real dumps have all charts', { skip: realDump('6.12').skip }, () => {
  const kinds = new Set(charts.map(([, { chart }]) => chart))
  assert.deepEqual([...kinds].sort(), [
    'extent-bars',
    'heat-map',
    'node-bars',
    'share-bars',
    'slot-map',
  ])
})

for (const engine of engines) {
  test(`${engine.name} draws them without a warning`, { skip: engine.skip }, async () => {
    for (const [name, chart] of charts) {
      for (const interactive of [true, false]) {
        const spec = specOf(chart, interactive)
        assert.ok(spec, name)
        const { warnings, svg } = await engine.run(spec)
        assert.deepEqual(warnings, [], name)
        assert.ok((svg.match(/fill="#[0-9a-f]{6}"/g) ?? []).length > 0, name)
        assert.doesNotMatch(svg, /NaN|undefined/, name)
      }
    }
  })
}

test('they have at most 2,048 marks, 100 KB of spec and 120 KB of SVG, and stay within 800 pixels', async () => {
  for (const [name, chart] of charts) {
    const moving = specOf(chart, true)
    const still = specOf(chart, false)
    assert.ok(moving && still)
    assert.ok(JSON.stringify(moving).length <= 100_000, name)
    const svg = await svgOf(still, chart.title, chart.description)
    assert.ok(svg.length <= 120_000, `${name}: ${svg.length} bytes`)
    assert.ok((svg.match(/<(path|text|line)\b/g) ?? []).length <= 2048, name)
    assert.ok(Number(/ width="(\d+)"/.exec(svg)?.[1]) <= 800, `${name}: ${svg.slice(0, 200)}`)
  }
})

test('a still heat map has poison where the moving one has', () => {
  const lost = { ...restless, tones, states: `${'0'.repeat(1001)}5${'0'.repeat(1046)}` }
  const spec = JSON.stringify(specOf({ ...lost, shares: 'a'.repeat(2048) }, false))
  assert.equal(spec.split('"state":"poisoned"').length, 2)
  const restlessSpec = JSON.stringify(specOf(restless, false))
  assert.ok(restlessSpec.split('"state":"poisoned"').length > 300)
})
