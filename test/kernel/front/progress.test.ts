// SPDX-License-Identifier: GPL-2.0-or-later
// Bars of cells in a real kernel: how often they are drawn, and what stays of them.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { eventually, publishedTypes, recorded, TestKernel } from './testkernel.ts'

const work =
  'function work(ms: number): void { const end = Date.now() + ms; while (Date.now() < end); }'

suite('progress', () => {
  let kernel: TestKernel
  before(async () => {
    kernel = await TestKernel.start()
    await kernel.execute(work)
    // Once the session has loaded what it draws with.
    await kernel.execute('await display(0)')
  })
  after(() => kernel.stop())

  test('of a loop that never yields is seen while it runs, ten times a second at most', async () => {
    const started = Date.now()
    const answered = await kernel.execute(
      'for (const i of progress(Array.from({ length: 1500 }, (_, n) => n), { label: "busy", unit: "steps" })) work(1)',
    )
    const seconds = (Date.now() - started) / 1000
    const drawn = answered.published.filter(({ header }) =>
      /^(update_)?display_data$/.test(header.msg_type),
    )
    assert.ok(drawn.length >= 3, `drawn ${drawn.length} times`)
    assert.ok(drawn.length <= seconds * 10 + 1, `drawn ${drawn.length} times in ${seconds} s`)
    const [first] = drawn
    assert.match(
      JSON.stringify(first?.content['data']),
      /busy {2}\[[#.]+\] +\d+ % {2}\d+ \/ 1,500 steps/,
    )
    assert.deepEqual(recorded(answered), ['display_data: busy: 1,500 steps done'])
  })

  test('of short work shows nothing', async () => {
    const answered = await kernel.execute('for (const i of progress([1, 2, 3])) work(1)')
    assert.deepEqual(publishedTypes(answered), ['busy', 'execute_input', 'idle'])
  })

  test('gives the items and their type, of async items too', async () => {
    const code =
      'let sum = 0; async function* items() { for (const n of [1, 2, 3]) { await new Promise((r) => setTimeout(r, 150)); yield n } }\n' +
      'for await (const n of progress(items(), { total: 3 })) sum += n\nfor (const text of progress(new Set(["ab"]))) sum += text.length\nsum'
    assert.deepEqual(recorded(await kernel.execute(code)), [
      'display_data: 3 done',
      'execute_result: 8',
    ])
  })

  test("of the API's own work is drawn without a word in the cell", async () => {
    const answered = await kernel.execute('hvaToHpa(800)')
    const drawn = answered.published.find(({ header }) => header.msg_type === 'display_data')
    assert.match(JSON.stringify(drawn?.content['data']), /counting web01 {2}\[#+\.+\]/)
    assert.deepEqual(recorded(answered), [
      'display_data: counting web01: 100 pages done',
      'execute_result: 100',
    ])
  })

  test('left by break says where', async () => {
    const answered = await kernel.execute(
      'for (const i of progress([0, 1, 2, 3], { label: "half" })) { work(200); if (i === 2) break }',
    )
    assert.deepEqual(recorded(answered), ['display_data: half: stopped at 50 % (2 of 4)'])
  })

  const stopped = [
    { how: 'in a loop that never yields', body: 'work(20)' },
    { how: 'at an await', body: 'await new Promise((r) => setTimeout(r, 20))' },
    { how: 'in a call that it was the last to make', body: 'if (i === 20) work(1e9); work(20)' },
  ]
  for (const { how, body } of stopped) {
    test(`of a cell that is interrupted ${how} says where it was stopped`, async () => {
      const { id, answered } = kernel.send('shell', 'execute_request', {
        code: `for (const i of progress(new Array(1000).fill(0).map((_, n) => n), { unit: "steps" })) { ${body} }`,
      })
      const isDrawn = (): boolean =>
        kernel.publishedFor(id).some(({ header }) => header.msg_type === 'display_data')
      assert.ok(await eventually(isDrawn, 20_000))
      await new Promise((resolve) => setTimeout(resolve, 300))
      await kernel.request('control', 'interrupt_request', {})
      const [bar, error, ...more] = recorded(await answered)
      assert.match(bar ?? '', /^display_data: stopped at \d+ % \(\d+ of 1,000 steps\)$/)
      assert.match(error ?? '', /^error: the cell was stopped/)
      assert.deepEqual(more, [])
    })
  }
})
