// SPDX-License-Identifier: GPL-2.0-or-later
// Cells that are no TypeScript: documentation in the pager, and the end of a console.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { readExit, readHelp } from '../../../kernel/front/special.ts'
import { publishedTypes, resultText, streamText, TestKernel } from './testkernel.ts'

const helps: Readonly<Record<string, ReturnType<typeof readHelp>>> = {
  'openDump?': { name: 'openDump', detail: 0 },
  ' dump.task?? \n': { name: 'dump.task', detail: 1 },
  '?$x': { name: '$x', detail: 0 },
  '??größe': { name: 'größe', detail: 1 },
  openDump: undefined,
  '?x?': undefined,
  'x???': undefined,
  'a ? b : c': undefined,
  'f()?': undefined,
  'let x?': undefined,
  '?': undefined,
}
for (const [code, help] of Object.entries(helps)) {
  test(`${JSON.stringify(code)} asks for ${help === undefined ? 'no documentation' : `that of ${help.name}`}`, () => {
    assert.deepEqual(readHelp(code), help)
  })
}

const exits: Readonly<Record<string, string | undefined>> = {
  exit: 'exit',
  ' quit()\n': 'quit',
  'exit ( );': 'exit',
  'exit(1)': undefined,
  'process.exit()': undefined,
  'exit; 1': undefined,
  exits: undefined,
}
for (const [code, name] of Object.entries(exits)) {
  test(`${JSON.stringify(code)} is ${name === undefined ? 'a cell as others' : 'the end'}`, () => {
    assert.equal(readExit(code), name)
  })
}

suite('the kernel', () => {
  let kernel: TestKernel
  before(async () => {
    kernel = await TestKernel.start()
  })
  after(() => kernel.stop())

  test('gives what it knows about a name to the pager, also in its first cell', async () => {
    const answered = await kernel.execute('openDump?')
    const { status, payload } = answered.reply.content
    assert.equal(status, 'ok')
    const [page, ...others] = payload as { source: string; data: Record<string, string> }[]
    assert.deepEqual([page?.source, others], ['page', []])
    assert.match(page?.data['text/plain'] ?? '', /^function openDump\(path: string\): StandInDump/)
    assert.match(page?.data['text/plain'] ?? '', /Opens nothing/)
    assert.deepEqual(publishedTypes(answered), ['busy', 'execute_input', 'idle'])
    const asked = await kernel.request('shell', 'is_complete_request', { code: 'openDump?' })
    assert.equal(asked.reply.content['status'], 'complete')
  })

  test('says when it knows nothing about a name', async () => {
    const answered = await kernel.execute('nobodyMadeThis?')
    assert.equal(streamText(answered, 'stderr'), 'Nothing is known about nobodyMadeThis.\n')
    assert.deepEqual(answered.reply.content['payload'], [])
  })

  for (const code of ['exit', 'exit()', 'quit', 'quit();']) {
    test(`asks the client to end for ${code}`, async () => {
      const answered = await kernel.execute(code)
      const { status, payload } = answered.reply.content
      assert.deepEqual([status, payload], ['ok', [{ source: 'ask_exit', keepkernel: false }]])
      assert.deepEqual(publishedTypes(answered), ['busy', 'execute_input', 'idle'])
    })
  }

  test("leaves a user's own exit and quit alone", async () => {
    await kernel.execute('const exit = 7; function quit() { return "mine" }')
    for (const [code, value] of [
      ['exit', '7'],
      ['quit()', "'mine'"],
    ] as const) {
      const answered = await kernel.execute(code)
      assert.equal(resultText(answered), value)
      assert.deepEqual(answered.reply.content['payload'], [])
    }
    // It cannot be called, which is an error and not the end.
    assert.equal((await kernel.execute('exit()')).reply.content['status'], 'error')
  })
})
