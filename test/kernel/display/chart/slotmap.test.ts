// SPDX-License-Identifier: GPL-2.0-or-later
// The slot map as a Vega-Lite spec.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type SlotMapInput } from '../../../../core/view/chart.ts'
import { slotMapOf } from '../../../../core/view/slotmap.ts'
import { slotMapSpec } from '../../../../kernel/display/chart/slotmap.ts'
import { type Spec } from '../../../../kernel/display/chart/spec.ts'
import { svgOf } from '../../../../kernel/display/svg.ts'
import { slot, slotMapInput } from '../../../core/view/samples.ts'
import { engines } from '../engines.ts'

const many: SlotMapInput = {
  slots: Array.from({ length: 5000 }, (_, id) => ({
    slot: {
      ...slot,
      id,
      gpa: id * 0x800000,
      size: 4096 * (1 + (id % 300)),
      npages: 1 + (id % 300),
    },
    shares: [
      { state: 'mapped', pageSize: 4096, bytes: 3000 },
      { state: 'unmapped', pageSize: null, bytes: 1000 },
      { state: 'swapped', pageSize: null, bytes: 96 },
    ],
  })),
  marked: [{ gpa: 1234 * 0x800000, label: 'gpa 0x269000000' }],
}
const inputs: readonly (readonly [name: string, input: SlotMapInput])[] = [
  ['22 slots', slotMapInput],
  ['no mark', { ...slotMapInput, marked: [] }],
  [
    'nothing counted',
    { ...slotMapInput, slots: slotMapInput.slots.map((each) => ({ ...each, shares: null })) },
  ],
  [
    'a mark above all memory',
    { ...slotMapInput, marked: [{ gpa: 2 ** 51, label: 'gpa 0x8000000000000' }] },
  ],
  ['5,000 slots', many],
  ['one slot', { slots: [{ slot, shares: null }], marked: [] }],
]

for (const [name, input] of inputs) {
  const map = slotMapOf(input)
  const moving = specOf(map, true)
  const still = specOf(map, false)

  for (const engine of engines) {
    for (const [kind, spec] of [
      ['moving', moving],
      ['still', still],
    ] as const) {
      test(
        `${engine.name} draws '${name}', ${kind}, without a warning`,
        { skip: engine.skip },
        async () => {
          const { warnings, svg } = await engine.run(spec)
          assert.deepEqual(warnings, [])
          const states = new Set(svg.match(/fill="#[0-9a-f]{6}"/g))
          assert.ok(states.size > map.tones.length, [...states].join())
        },
      )
    }
  }

  test(`'${name}' has at most 2,048 marks, 100 KB of spec and 120 KB of SVG`, async () => {
    assert.ok(JSON.stringify(moving).length <= 100_000)
    const svg = await svgOf(still, map.title, map.description)
    assert.ok(svg.length <= 120_000, `${svg.length} bytes`)
    assert.ok((svg.match(/<(path|text|line)\b/g) ?? []).length <= 2048)
  })

  test(`in '${name}' no number is beyond 2^53, and every shown address is text`, () => {
    walkOver(moving, (key, value) => {
      if (typeof value === 'number') assert.ok(Math.abs(value) <= Number.MAX_SAFE_INTEGER, key)
      if (/^(gpa|hva)$/.test(key)) assert.match(String(value), /^(0x[0-9a-f]+( – 0x[0-9a-f]+)?|-)$/)
    })
  })
}

test('an expression holds numbers and names of Vega only, nothing that a dump could say', () => {
  const words = new Set(
    'datum u u0 u1 x zoom text name short hole brush width windowSize isValid length clamp abs luminance background left right center e6e6e6'.split(
      ' ',
    ),
  )
  const [first, ...rest] = slotMapInput.marked
  const evil = {
    ...slotMapInput,
    marked: [{ gpa: first?.gpa ?? 0, label: "');alert(1);//" }, ...rest],
  }
  let expressions = 0
  walkOver(specOf(slotMapOf(evil), true), (key, value) => {
    if (!/^(calculate|filter|expr|labelExpr|signal)$/.test(key) || typeof value !== 'string') return
    expressions++
    for (const word of value.match(/[A-Za-z_]\w*/g) ?? [])
      assert.ok(words.has(word), `${word} in ${value}`)
  })
  assert.ok(expressions > 5)
})

test('the SVG has a title, a description, and ids of its own picture', async () => {
  const map = slotMapOf(slotMapInput)
  const draw = (title: string) => svgOf(specOf(map, false), title, map.description)
  const svg = await draw(map.title)
  assert.match(
    svg,
    /^<svg role="img" [^>]*>\n<title>Guest physical memory – 22 slots, 30\.3 GiB<\/title>\n<desc>/,
  )
  const ids = svg.match(/ id="[^"]*"/g) ?? []
  assert.ok(ids.length > 0)
  for (const id of ids) assert.match(id, /^ id="k[0-9a-f]{8}-\d+"$/)
  assert.equal(await draw(map.title), svg)
  assert.ok((await draw('<a> & b')).includes('<title>&lt;a&gt; &amp; b</title>'))
})

test('the SVG’s legend is as wide as its words: the picture stays within 700 pixels', async () => {
  const map = slotMapOf(slotMapInput)
  const svg = await svgOf(specOf(map, false), map.title, map.description)
  const width = Number(/ width="(\d+)"/.exec(svg)?.[1])
  assert.ok(width >= 660 && width <= 700, `${width} pixels`)
})

function specOf(map: ReturnType<typeof slotMapOf>, interactive: boolean): Spec {
  const spec = slotMapSpec(map, interactive)
  assert.ok(spec)
  return spec
}

function walkOver(value: unknown, visit: (key: string, value: unknown) => void): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, child] of Object.entries(value)) {
    visit(key, child)
    walkOver(child, visit)
  }
}
