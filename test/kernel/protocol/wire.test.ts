// SPDX-License-Identifier: GPL-2.0-or-later
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { suite, test } from 'node:test'
import { makeHeader, type Message } from '../../../kernel/protocol/messages.ts'
import { decodeMessage, encodeMessage, Signer, WireError } from '../../../kernel/protocol/wire.ts'

const signer = new Signer('a key')
const message: Message = {
  header: makeHeader('execute_request', 'session'),
  parent_header: {},
  metadata: { cellId: 'é' },
  content: { code: '1 + 1' },
  buffers: [Buffer.from([0, 255])],
}

suite('the wire', () => {
  test('gives back what was sent, with identities and buffers', () => {
    const identity = Buffer.from([0, 1, 2])
    const decoded = decodeMessage(encodeMessage(message, signer, [identity]), signer)
    assert.deepEqual(decoded, { ...message, identities: [identity] })
  })

  test('signs the four JSON frames by HMAC-SHA256, the buffers not', () => {
    const [delimiter, signature, ...parts] = encodeMessage(message, signer)
    assert.equal(String(delimiter), '<IDS|MSG>')
    const hmac = createHmac('sha256', 'a key')
    for (const part of parts.slice(0, 4)) hmac.update(part)
    assert.equal(String(signature), hmac.digest('hex'))
  })

  test('signs nothing without a key', () => {
    const frames = encodeMessage(message, new Signer(''))
    assert.equal(frames[1]?.length, 0)
    assert.equal(decodeMessage(frames, new Signer('')).content['code'], '1 + 1')
  })

  test('writes a bigint as text', () => {
    const sent = { ...message, content: { address: 2n ** 63n } }
    const decoded = decodeMessage(encodeMessage(sent, signer), signer)
    assert.equal(decoded.content['address'], '9223372036854775808')
  })

  for (let part = 1; part < 6; part++) {
    test(`refuses a message whose frame ${part} was changed`, () => {
      const frames = encodeMessage(message, signer).map((frame) => Buffer.from(frame))
      const changed = frames[part]
      assert.ok(changed !== undefined)
      changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1
      assert.throws(() => decodeMessage(frames, signer), /the signature does not fit the key/)
    })
  }

  test('refuses a signature that is cut', () => {
    const frames = encodeMessage(message, signer)
    frames[1] = frames[1]?.subarray(0, 10) ?? Buffer.alloc(0)
    assert.throws(() => decodeMessage(frames, signer), WireError)
  })

  test('refuses frames that are no message', () => {
    assert.throws(() => decodeMessage([], signer), /no <IDS\|MSG> among 0 frames/)
    assert.throws(
      () => decodeMessage(encodeMessage(message, signer).slice(0, 4), signer),
      /at least 5/,
    )
  })

  const bad: [string, Message][] = [
    [
      'a header without msg_type',
      { ...message, header: { ...message.header, msg_type: undefined as never } },
    ],
    ['content that is a list', { ...message, content: [] as never }],
  ]
  for (const [what, sent] of bad) {
    test(`refuses ${what}, well signed or not`, () => {
      assert.throws(() => decodeMessage(encodeMessage(sent, signer), signer), WireError)
    })
  }

  test('does not start with a signature scheme that it does not know', () => {
    assert.throws(() => new Signer('k', 'rsa'), /not of the form hmac-HASH/)
    assert.throws(() => new Signer('k', 'hmac-nohash'))
  })
})
