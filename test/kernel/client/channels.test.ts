// SPDX-License-Identifier: GPL-2.0-or-later
// A client's sockets: a message that nobody could have sent, and requests that arrive signed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Publisher, Router } from 'zeromq'
import { KernelChannels } from '../../../kernel/client/channels.ts'
import { writeConnection } from '../../../kernel/client/connectionfile.ts'
import { waitUntilReady } from '../../../kernel/client/ready.ts'
import { endpoint } from '../../../kernel/protocol/connection.ts'
import { makeHeader } from '../../../kernel/protocol/messages.ts'
import { decodeMessage, encodeMessage, Signer } from '../../../kernel/protocol/wire.ts'

test('requests arrive in order and signed, also when many are sent at once', async () => {
  const { connection, remove } = await writeConnection()
  const router = new Router({ linger: 0 })
  await router.bind(endpoint(connection, 'shell'))
  const channels = new KernelChannels(connection)
  const signer = new Signer(connection.key)
  try {
    for (let i = 0; i < 500; i++) channels.request('shell', 'execute_request', { i })
    for (let i = 0; i < 500; i++) {
      const message = decodeMessage(await router.receive(), signer)
      assert.equal(message.header.msg_type, 'execute_request')
      assert.deepEqual(message.content, { i })
    }
  } finally {
    channels.close()
    router.close()
    remove()
  }
})

test('a message with a wrong signature ends the run instead of being waited for', async () => {
  const { connection, remove } = await writeConnection()
  const publisher = new Publisher({ linger: 0 })
  await publisher.bind(endpoint(connection, 'iopub'))
  const channels = new KernelChannels(connection)
  const forged = {
    header: makeHeader('status', 's'),
    parent_header: {},
    metadata: {},
    content: {},
    buffers: [],
  }
  const sending = setInterval(() => {
    void publisher.send(
      [...encodeMessage(forged, new Signer('another key'))].map((frame) => Buffer.from(frame)),
    )
  }, 20)
  try {
    await assert.rejects(
      Promise.race([waitUntilReady(channels, 5_000), channels.failed]),
      /a message on iopub cannot be used: its signature does not fit the key/,
    )
  } finally {
    clearInterval(sending)
    channels.close()
    publisher.close()
    remove()
  }
})
