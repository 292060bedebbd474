// SPDX-License-Identifier: GPL-2.0-or-later
// Comms between a client and cells of a real kernel, with binary parts.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { JsonObject, Message } from '../../../kernel/protocol/messages.ts'
import { eventually, TestKernel } from './testkernel.ts'

suite('a comm', () => {
  let kernel: TestKernel
  /** All comm messages of the kernel, also those that belong to a cell that is over. */
  const comms = (id: string): Message[] =>
    kernel.heard.filter(
      ({ header, content }) => header.msg_type.startsWith('comm_') && content['comm_id'] === id,
    )
  const next = async (id: string, number: number): Promise<Message> => {
    await eventually(() => comms(id).length > number, 20_000)
    const message = comms(id)[number]
    if (message === undefined) throw new Error(`no comm message came; log: ${kernel.log}`)
    return message
  }
  const send = (type: string, content: JsonObject, buffers: readonly Uint8Array[] = []): string =>
    kernel.send('shell', type, content, undefined, buffers).id
  const info = async (content: JsonObject): Promise<unknown> =>
    (await kernel.request('shell', 'comm_info_request', content)).reply.content['comms']

  before(async () => {
    kernel = await TestKernel.start()
    await kernel.execute(`
      let got: unknown[] = []
      comms.register("echo", (comm, { data, buffers }) => {
        got.push(["open", data, buffers.length])
        comm.onMessage(({ data, buffers }) => {
          if (data === "throw") throw new Error("in a handler")
          comm.send({ back: data, address: 0x34de5840n }, buffers.map((bytes) => bytes.map((byte) => byte + 1)))
        })
        comm.onClose(({ data }) => { got.push(["close", data]) })
      })`)
  })
  after(() => kernel.stop())

  test('of a registered target carries data and buffers both ways, until the client closes it', async () => {
    const bytes = new Uint8Array([0, 127, 254])
    send('comm_open', { comm_id: 'c1', target_name: 'echo', data: { a: 1 } }, [bytes])
    const id = send('comm_msg', { comm_id: 'c1', data: 'hello ä' }, [bytes, new Uint8Array(0)])
    const back = await next('c1', 0)
    assert.equal(back.header.msg_type, 'comm_msg')
    assert.deepEqual(back.content['data'], { back: 'hello ä', address: '0x34de5840' })
    assert.deepEqual(
      back.buffers.map((one) => [...one]),
      [[1, 128, 255], []],
    )
    const states = (): unknown[] =>
      kernel.publishedFor(id).map(({ content }) => content['execution_state'])
    assert.deepEqual(states(), ['busy', 'idle'])
    assert.deepEqual(await info({}), { c1: { target_name: 'echo' } })
    assert.deepEqual(await info({ target_name: 'echo' }), { c1: { target_name: 'echo' } })
    assert.deepEqual(await info({ target_name: 'other' }), {})
    send('comm_close', { comm_id: 'c1', data: 'bye' })
    assert.deepEqual(await info({}), {})
    assert.equal(
      await kernel.value('JSON.stringify(got)'),
      `'[["open",{"a":1},1],["close","bye"]]'`,
    )
  })

  test('of an unknown target is closed, and so is one that nobody opened', async () => {
    send('comm_open', { comm_id: 'c2', target_name: 'unknown', data: {} })
    assert.equal((await next('c2', 0)).header.msg_type, 'comm_close')
    send('comm_msg', { comm_id: 'c3', data: {} })
    assert.equal((await next('c3', 0)).header.msg_type, 'comm_close')
    assert.deepEqual(await info({}), {})
  })

  test('is opened and closed by a cell too', async () => {
    const opened = await kernel.execute(
      'const mine = comms.open("widget", { model: 5 }, [new Uint8Array([9])]); mine.send("more"); mine.id',
    )
    const [open, message] = opened.published.filter(({ header }) =>
      header.msg_type.startsWith('comm_'),
    )
    assert.equal(open?.header.msg_type, 'comm_open')
    assert.deepEqual(open.content, {
      comm_id: open.content['comm_id'],
      target_name: 'widget',
      data: { model: 5 },
    })
    assert.deepEqual(
      open.buffers.map((one) => [...one]),
      [[9]],
    )
    assert.equal(message?.content['data'], 'more')
    assert.deepEqual(Object.values((await info({})) as object), [{ target_name: 'widget' }])
    await kernel.execute('mine.close()')
    assert.deepEqual(await info({}), {})
    const closed = await kernel.execute('mine.send("late")')
    assert.match(String(closed.reply.content['evalue']), /comm .* of widget is closed/)
  })

  test('is answered while a cell waits, and an error in its handler ends nothing', async () => {
    const { answered } = kernel.send('shell', 'execute_request', {
      code: 'await new Promise((r) => setTimeout(r, 1500))',
    })
    await new Promise((resolve) => setTimeout(resolve, 500))
    send('comm_open', { comm_id: 'c4', target_name: 'echo', data: {} })
    send('comm_msg', { comm_id: 'c4', data: 'throw' })
    send('comm_msg', { comm_id: 'c4', data: 'after' })
    assert.deepEqual((await next('c4', 0)).content['data'], {
      back: 'after',
      address: '0x34de5840',
    })
    assert.equal((await answered).reply.content['status'], 'ok')
    const told = (): boolean =>
      kernel.heard.some(({ content }) => String(content['text']).includes('in a handler'))
    assert.ok(await eventually(told, 5000))
  })

  test('is gone with the session, and its target too', async () => {
    assert.deepEqual(await info({}), { c4: { target_name: 'echo' } })
    await kernel.execute('process.exit(3)')
    assert.deepEqual(await info({}), {})
    send('comm_open', { comm_id: 'c5', target_name: 'echo', data: {} })
    assert.equal((await next('c5', 0)).header.msg_type, 'comm_close')
  })

  test('can no longer be opened when its target was given up', async () => {
    await kernel.execute('comms.register("brief", () => {}); comms.unregister("brief")')
    send('comm_open', { comm_id: 'c6', target_name: 'brief', data: {} })
    assert.equal((await next('c6', 0)).header.msg_type, 'comm_close')
  })
})
