// SPDX-License-Identifier: GPL-2.0-or-later
// Displays that change and are taken away, from a cell of a real kernel to what a client keeps.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { publishedTypes, recorded, TestKernel } from './testkernel.ts'

suite('a display', () => {
  let kernel: TestKernel
  before(async () => {
    kernel = await TestKernel.start()
    // Once the session has loaded what it shows values with.
    await kernel.execute('await display(0)')
  })
  after(() => kernel.stop())

  test('stands between what is printed before and after it', async () => {
    const answered = await kernel.execute('console.log("a"); display(1); console.log("b")')
    assert.deepEqual(recorded(answered), ['stdout: a\n', 'display_data: 1', 'stdout: b\n'])
  })

  test('is replaced where it stands', async () => {
    const answered = await kernel.execute(
      'const shown = display("old"); console.log("between"); shown.update("new").update("newest"); 5',
    )
    assert.deepEqual(publishedTypes(answered), [
      'busy',
      'execute_input',
      'display_data',
      'stream',
      'update_display_data',
      'update_display_data',
      'execute_result',
      'idle',
    ])
    assert.deepEqual(recorded(answered), [
      "display_data: 'newest'",
      'stdout: between\n',
      'execute_result: 5',
    ])
    const ids = answered.published
      .map(({ content }) => content['transient'] as { display_id?: string } | undefined)
      .map((transient) => transient?.display_id)
      .filter((id) => id !== undefined)
    assert.equal(ids.length, 3)
    assert.equal(new Set(ids).size, 1)
  })

  test('is replaced from a later cell, under the id that the client knows', async () => {
    const first = await kernel.execute('const later = display("one", "two")')
    assert.deepEqual(recorded(first), ["display_data: 'one'", "display_data: 'two'"])
    const second = await kernel.execute('later.update("only")')
    assert.deepEqual(publishedTypes(second).slice(2), [
      'update_display_data',
      'update_display_data',
      'idle',
    ])
    const both = { ...second, published: [...first.published, ...reparented(second, first)] }
    assert.deepEqual(recorded(both), ["display_data: 'only'", 'display_data: '])
    const third = await kernel.execute('later.update("three", "four", "five")')
    assert.deepEqual(recorded(third), ["display_data: 'five'"])
  })

  test('as the last expression shows its values once', async () => {
    assert.deepEqual(recorded(await kernel.execute('display("once")')), ["display_data: 'once'"])
  })

  test('of a value that draws itself later is there when it was awaited', async () => {
    const code =
      'const slow = { [Symbol.for("Jupyter.display")]: () => new Promise((r) => setTimeout(r, 100, { "text/plain": "slow" })) }'
    await kernel.execute(code)
    const awaited = await kernel.execute('await display(slow); console.log("after")')
    assert.deepEqual(recorded(awaited), ['display_data: slow', 'stdout: after\n'])
    const updated = await kernel.execute('await display(slow).update("quick")')
    assert.deepEqual(recorded(updated), ["display_data: 'quick'"])
  })

  test('is taken away at once, or when something else comes', async () => {
    const now = await kernel.execute(
      'console.log("gone"); display("gone"); clearOutput(); console.log("stays")',
    )
    assert.deepEqual(recorded(now), ['stdout: stays\n'])
    const waiting = 'console.log("old"); clearOutput({ wait: true })'
    assert.deepEqual(recorded(await kernel.execute(waiting)), ['stdout: old\n'])
    const replaced = await kernel.execute(`${waiting}; console.log("new")`)
    assert.deepEqual(recorded(replaced), ['stdout: new\n'])
    const cleared = replaced.published.filter(({ header }) => header.msg_type === 'clear_output')
    assert.deepEqual(
      cleared.map(({ content }) => content),
      [{ wait: true }],
    )
  })

  test('of the helpers is typed and shown in its formats', async () => {
    const answered = await kernel.execute(
      'display(html`<b>${"<x>"}</b>`, markdown("# m"), json({ a: 1n }), table([{ a: 1 }]))\nvegaLite({ data: { values: [{ a: 1 }] }, mark: "bar", encoding: { x: { field: "a" } } })',
    )
    const formats = answered.published.flatMap(({ content }) =>
      Object.keys((content['data'] as object | undefined) ?? {}),
    )
    const wanted = ['text/html', 'text/markdown', 'application/json', 'image/svg+xml']
    for (const format of wanted) assert.ok(formats.includes(format), format)
    const wrong = await kernel.execute('svg(5)')
    assert.match(String(wrong.reply.content['evalue']), /not assignable/)
    assert.equal(await kernel.value('full([1])'), '[ 1 ]')
  })

  test('of what no message can hold is an error of the cell', async () => {
    const answered = await kernel.execute(
      '({ [Symbol.for("Jupyter.display")]() { const a: any = {}; a.a = a; return { "application/json": a } } })',
    )
    assert.match(String(answered.reply.content['evalue']), /circular/)
  })

  test('and what a child process prints are taken away together', async () => {
    const answered = await kernel.execute(
      'require("node:child_process").execSync("echo gone", { stdio: "inherit" }); clearOutput(); display(1)',
    )
    assert.deepEqual(recorded(answered), ['display_data: 1'])
  })
})

type Answered = Awaited<ReturnType<TestKernel['execute']>>

/** The messages of `answered` as if they had come while `of` ran. */
function reparented(answered: Answered, of: Answered): Answered['published'] {
  const parent = of.published[0]?.parent_header ?? {}
  return answered.published.map((message) => ({ ...message, parent_header: parent }))
}
