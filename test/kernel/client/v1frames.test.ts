// SPDX-License-Identifier: GPL-2.0-or-later
// The binary form of messages, compared with the serializer of @jupyterlab/services.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KernelMessage, ServerConnection } from '@jupyterlab/services'
import { decodeV1, encodeV1, v1Protocol } from '../../../kernel/client/v1frames.ts'

const { serializer } = ServerConnection.makeSettings()

const message = KernelMessage.createMessage({
  msgType: 'execute_request',
  channel: 'shell',
  session: 'a session',
  content: { code: 'const grüße = "🙂"' },
  buffers: [new Uint8Array([1, 2, 3]).buffer, new ArrayBuffer(0)],
})

function encoded(): ArrayBuffer {
  const data = serializer.serialize(message, v1Protocol)
  assert.ok(data instanceof ArrayBuffer)
  return data
}

test('what the package writes is read part by part', () => {
  const { channel, parts, buffers } = decodeV1(encoded())
  assert.equal(channel, 'shell')
  assert.deepEqual(
    parts.map((part): unknown => JSON.parse(Buffer.from(part).toString())),
    [message.header, {}, message.metadata, message.content],
  )
  assert.deepEqual(
    buffers.map((buffer) => [...buffer]),
    [[1, 2, 3], []],
  )
})

test('what is written equals what the package writes, byte for byte', () => {
  const data = encoded()
  assert.deepEqual(new Uint8Array(encodeV1(decodeV1(data))), new Uint8Array(data))
})

test('the package reads what is written', () => {
  const back = serializer.deserialize(encodeV1(decodeV1(encoded())), v1Protocol)
  assert.deepEqual(back.content, message.content)
  assert.deepEqual(back.header, message.header)
  assert.equal(back.buffers?.length, 2)
})

for (const [what, change] of Object.entries<(view: DataView) => void>({
  'an absurd number of offsets': (view) => {
    view.setBigUint64(0, 1n << 60n, true)
  },
  'too few offsets': (view) => {
    view.setBigUint64(0, 5n, true)
  },
  'an offset behind the end': (view) => {
    view.setBigUint64(16, 1n << 40n, true)
  },
  'offsets that go back': (view) => {
    view.setBigUint64(24, 8n, true)
  },
})) {
  test(`${what} is refused`, () => {
    const data = encoded()
    change(new DataView(data))
    assert.throws(() => decodeV1(data), { name: 'WireError' })
  })
}

test('an empty message is refused', () => {
  assert.throws(() => decodeV1(new ArrayBuffer(0)), { name: 'WireError' })
})
