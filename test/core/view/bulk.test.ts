// SPDX-License-Identifier: GPL-2.0-or-later
// The display of a bulk translation: counts over all rows, few rows, a chart that can be drawn.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type HostDump, openDump, qemuVtop, show, viewOf } from '../../../core/index.ts'
import { specOf } from '../../../kernel/display/chart/index.ts'
import { svgOf } from '../../../kernel/display/svg.ts'
import { realDump } from '../../place.ts'

const { path, skip } = realDump('6.12')

describe('the view of a bulk translation', { skip }, () => {
  let dump: HostDump
  before(() => {
    dump = openDump(path)
  })
  after(() => {
    dump.close()
  })
  const all = (): Float64Array => Float64Array.from({ length: 3000 }, (_, i) => i * 0x10000)

  it('counts every row by state, as one translation after the other does', () => {
    const task = dump.task(183)
    const given = all()
    const states = new Map<string, number>()
    for (const gpa of given) {
      const { state } = qemuVtop(task, gpa)
      states.set(state, (states.get(state) ?? 0) + 1)
    }
    const text = viewOf(qemuVtop(task, given))?.text ?? ''
    for (const [state, count] of states) {
      assert.ok(text.includes(`${state} ${count.toLocaleString('en')}`), `${state} ${count}`)
    }
  })

  it('shows first and last rows, says how many more there are, and more when asked', () => {
    const table = qemuVtop(dump.task(183), all())
    const rowsOf = (value: unknown): number => {
      const block = viewOf(value)?.blocks.find(({ kind }) => kind === 'table')
      return block?.kind === 'table' ? block.rows.length : 0
    }
    assert.equal(rowsOf(table), 8)
    assert.equal(rowsOf(show(table, { rows: 100 })), 100)
    assert.match(viewOf(table)?.text ?? '', /2,992 more/)
  })

  it('has a chart whose shares come to a hundred, and that is drawn equally twice', async () => {
    const [chart] = viewOf(qemuVtop(dump.task(183), all()))?.charts ?? []
    assert.ok(chart?.chart === 'share-bars')
    const groups = new Set(chart.pieces.map(({ group }) => group))
    for (const group of groups) {
      const ends = chart.pieces.filter((piece) => piece.group === group).map(({ to }) => to)
      assert.ok(Math.abs((ends.at(-1) ?? 0) - 100) < 0.1, group)
    }
    const spec = specOf(chart, false)
    assert.ok(spec)
    const svg = await svgOf(spec, chart.title, chart.description)
    assert.match(svg, /^<svg/)
    assert.equal(await svgOf(spec, chart.title, chart.description), svg)
  })

  it('of no rows has no chart', () => {
    const view = viewOf(qemuVtop(dump.task(183), []))
    assert.deepEqual(view?.charts, [])
    assert.match(view.text, /^0 translations|no translation/)
  })
})
