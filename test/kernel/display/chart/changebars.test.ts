// SPDX-License-Identifier: GPL-2.0-or-later
// The chart of a comparison as a Vega-Lite spec: what is drawn, and that nothing of a dump's words runs.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Chart } from '../../../../core/index.ts'
import { specOf } from '../../../../kernel/display/chart/index.ts'
import { svgOf } from '../../../../kernel/display/svg.ts'
import { engines } from '../engines.ts'

const tones = [
  ...(['mapped 1G', 'mapped 2M', 'mapped 4K', 'swapped', 'not touched'] as const),
  ...(['poisoned', 'not in dump', 'device'] as const),
]
const hostile = `A "]; alert('1') <script> ${'W'.repeat(60)}`
const words = {
  title: 'web01 in vmcore.0931 and vmcore.1044: memory by state',
  subtitle: Array.from({ length: 8 }, (_, i) => `change no ${i} 123,456,789`).join('; '),
  description: 'in one sentence',
  text: '-',
}

function chartOf(by: (i: number) => number, sides = ['A vmcore.0931', 'B vmcore.1044']): Chart {
  return {
    ...words,
    chart: 'change-bars',
    unit: 'GiB',
    pieces: sides.flatMap((side) =>
      tones.map((tone, i) => ({ side, tone, from: i, to: i + 1, size: '1 GiB' })),
    ),
    changes: tones.map((tone, i) => ({
      ...{ tone, by: by(i), sizes: ['1 GiB', '2 GiB', '+1 GiB'] as const },
      label: by(i) === 0 ? '0' : `${by(i) > 0 ? '+' : '\u2212'}${Math.abs(by(i)).toFixed(2)}`,
    })),
    tones,
  }
}

const charts: readonly (readonly [name: string, chart: Chart])[] = [
  ['up and down', chartOf((i) => (i - 3) * 1.5)],
  ['nothing changed', chartOf(() => 0)],
  ['hostile names', chartOf((i) => 100 - i, [hostile, `B${hostile}`])],
]

for (const engine of engines) {
  test(`${engine.name} draws it without a warning`, { skip: engine.skip }, async () => {
    for (const [name, chart] of charts) {
      for (const interactive of [true, false]) {
        const spec = specOf(chart, interactive)
        assert.ok(spec, name)
        const { warnings, svg } = await engine.run(spec)
        assert.deepEqual(warnings, [], name)
        assert.doesNotMatch(svg, /NaN|undefined/, name)
      }
    }
  })
}

test('its SVG has every label with its sign, and stays within 100 KB and 720 pixels', async () => {
  for (const [name, chart] of charts) {
    const spec = specOf(chart, false)
    assert.ok(spec && chart.chart === 'change-bars')
    const svg = await svgOf(spec, chart.title, chart.description)
    for (const { label } of chart.changes)
      assert.ok(svg.includes(`>${label}</text>`), `${name} ${label}`)
    assert.ok(svg.length <= 100_000, `${name}: ${svg.length} bytes`)
    assert.ok(Number(/ width="(\d+)"/.exec(svg)?.[1]) <= 720, `${name}: ${svg.slice(0, 200)}`)
  }
})

test('its axis of changes is as long to both sides, with room for the numbers', async () => {
  for (const [name, chart] of charts) {
    assert.ok(chart.chart === 'change-bars')
    const svg = await svgOf(specOf(chart, false) ?? {}, chart.title, chart.description)
    // The axis of 460 pixels has 0 in its middle, and the longest bar ends at 0.8 of a half.
    const bars = [...svg.matchAll(/<path d="M(-?[\d.]+),[\d.]+h(-?[\d.]+)v12h/g)]
    const ends = bars.map(([, from, length]) => [Number(from), Number(from) + Number(length)])
    const most = Math.max(...chart.changes.map(({ by }) => Math.abs(by)))
    assert.equal(ends.length, chart.changes.length, name)
    for (const [i, { by }] of chart.changes.entries()) {
      const far = 230 + (most === 0 ? 0 : (184 * by) / most)
      const wanted = [Math.min(230, far), Math.max(230, far)]
      for (const side of [0, 1]) {
        assert.ok(Math.abs((ends[i]?.[side] ?? 0) - (wanted[side] ?? 0)) < 0.1, `${name} ${i}`)
      }
    }
  }
})

test('words of a dump stand in its data alone', () => {
  const chart = charts.find(([name]) => name === 'hostile names')?.[1]
  assert.ok(chart)
  const spec = JSON.stringify(specOf(chart, true), (key, value: unknown) =>
    key === 'values' ? [] : value,
  )
  assert.doesNotMatch(spec, /alert/)
})
