// SPDX-License-Identifier: GPL-2.0-or-later
// Requests other than running a cell, through the real kernel.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { isCompiler, publishedTypes, TestKernel } from './testkernel.ts'

suite('the kernel', () => {
  let kernel: TestKernel
  before(async () => {
    kernel = await TestKernel.start()
  })
  after(() => kernel.stop())

  for (const channel of ['shell', 'control'] as const) {
    test(`tells on ${channel} what it is`, async () => {
      const { reply, published } = await kernel.request(channel, 'kernel_info_request', {})
      assert.equal(reply.header.msg_type, 'kernel_info_reply')
      assert.equal(reply.content['status'], 'ok')
      assert.equal(reply.content['protocol_version'], '5.4')
      const language = reply.content['language_info'] as Record<string, unknown>
      assert.equal(language['name'], 'typescript')
      assert.equal(language['file_extension'], '.ts')
      assert.deepEqual(publishedTypes({ reply, published }), ['busy', 'idle'])
    })
  }

  test('returns the whole header of a request in all that belongs to it', async () => {
    const { reply, published } = await kernel.execute('"x"')
    const parents = [reply, ...published].map(({ parent_header: parent }) => parent)
    for (const parent of parents) assert.deepEqual(parent, parents[0])
    assert.equal(parents[0]?.['msg_type'], 'execute_request')
  })

  test('ends every request with idle, one of a type that it does not know too', async () => {
    const { id } = kernel.send('shell', 'no_such_request', {})
    await kernel.execute('0')
    const states = kernel.publishedFor(id).map(({ content }) => content['execution_state'])
    assert.deepEqual(states, ['busy', 'idle'])
    assert.match(kernel.log, /nothing answers a no_such_request/)
  })

  test('completes names of older cells and members by their types', async () => {
    await kernel.execute('const machine = { name: "a", memslots: [1] }')
    const name = await kernel.request('shell', 'complete_request', { code: 'mach', cursor_pos: 4 })
    assert.deepEqual(name.reply.content['matches'], ['machine'])
    const code = '/* 😀 */ machine.na'
    const member = await kernel.request('shell', 'complete_request', {
      code,
      cursor_pos: Array.from(code).length,
    })
    assert.deepEqual(member.reply.content['matches'], ['name'])
    assert.equal(member.reply.content['cursor_start'], Array.from(code).length - 2)
    assert.equal(member.reply.content['cursor_end'], Array.from(code).length)
  })

  test('completes while a cell runs', async () => {
    await kernel.execute('const anvil = { weight: 1 }')
    const running = kernel.send('shell', 'execute_request', {
      code: 'const end = Date.now() + 1500; while (Date.now() < end); "done"',
    })
    let over = false
    void running.answered.then(() => (over = true))
    const { reply } = await kernel.request('shell', 'complete_request', {
      code: 'anvil.',
      cursor_pos: 6,
    })
    assert.deepEqual(reply.content['matches'], ['weight'])
    assert.equal(over, false)
    await running.answered
  })

  test('shows the documentation of the API', async () => {
    const { reply } = await kernel.request('shell', 'inspect_request', {
      code: 'openDump(',
      cursor_pos: 9,
      detail_level: 0,
    })
    assert.equal(reply.content['found'], true)
    const data = reply.content['data'] as Record<string, string>
    assert.match(data['text/plain'] ?? '', /function openDump\(path: string\): StandInDump/)
    assert.match(data['text/plain'] ?? '', /says which path it was given/)
  })

  test('finds nothing to say about a place without a name', async () => {
    const { reply } = await kernel.request('shell', 'inspect_request', {
      code: '  1',
      cursor_pos: 0,
      detail_level: 0,
    })
    assert.equal(reply.content['found'], false)
  })

  const completeness = [
    { code: '1 + 1', status: 'complete' },
    { code: 'const a = 1', status: 'complete' },
    { code: 'function f() {', status: 'incomplete', indent: '  ' },
    { code: 'f([{', status: 'incomplete', indent: '      ' },
    { code: '`text', status: 'incomplete' },
    { code: '/* text', status: 'incomplete' },
    { code: 'const a = ', status: 'incomplete' },
    { code: 'a b c', status: 'invalid' },
    { code: ')', status: 'invalid' },
  ]
  for (const { code, status, indent } of completeness) {
    test(`calls ${JSON.stringify(code)} ${status}`, async () => {
      const { reply } = await kernel.request('shell', 'is_complete_request', { code })
      assert.equal(reply.content['status'], status)
      if (indent !== undefined) assert.equal(reply.content['indent'], indent)
    })
  }

  test('does not know whether a cell is complete while its compiler is stuck, and says so within a second', async () => {
    const compiler = kernel.processes().find(isCompiler)
    assert.ok(compiler !== undefined)
    process.kill(compiler, 'SIGSTOP')
    try {
      const from = performance.now()
      const { reply } = await kernel.request('shell', 'is_complete_request', { code: '1' })
      assert.equal(reply.content['status'], 'unknown')
      // What is measured is when it gives up; the rest is for a busy machine.
      assert.ok(performance.now() - from < 5_000)
    } finally {
      process.kill(compiler, 'SIGCONT')
    }
    assert.equal(await kernel.value('1'), '1')
  })

  test('remembers cells and their results', async () => {
    await kernel.execute('"needle" + 1')
    await kernel.execute('2')
    const ask = async (content: Record<string, unknown>): Promise<unknown[][]> => {
      const { reply } = await kernel.request('shell', 'history_request', { raw: true, ...content })
      return reply.content['history'] as unknown[][]
    }
    const tail = await ask({ hist_access_type: 'tail', n: 2, output: false })
    assert.deepEqual(
      tail.map((row) => row[2]),
      ['"needle" + 1', '2'],
    )
    const found = await ask({ hist_access_type: 'search', pattern: '*needle*', n: 5, output: true })
    assert.deepEqual(found.at(-1)?.[2], ['"needle" + 1', "'needle1'"])
    const line = Number(found.at(-1)?.[1])
    const range = await ask({
      hist_access_type: 'range',
      session: 0,
      start: line,
      stop: line + 1,
      output: false,
    })
    assert.deepEqual(
      range.map((row) => row[2]),
      ['"needle" + 1'],
    )
  })

  test('has no comms at first and closes one whose target is unknown', async () => {
    const { reply } = await kernel.request('shell', 'comm_info_request', {})
    assert.deepEqual(reply.content['comms'], {})
    const { id } = kernel.send('shell', 'comm_open', { comm_id: 'c1', target_name: 't', data: {} })
    await kernel.execute('0')
    const published = kernel.publishedFor(id)
    const types = published.map(({ header }) => header.msg_type)
    assert.deepEqual(types, ['status', 'comm_close', 'status'])
    assert.equal(published[1]?.content['comm_id'], 'c1')
  })
})
