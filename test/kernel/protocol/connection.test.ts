// SPDX-License-Identifier: GPL-2.0-or-later
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import {
  checkConnection,
  ConnectionFileError,
  endpoint,
  readConnectionFile,
} from '../../../kernel/protocol/connection.ts'

// As jupyter_client 8.10 writes it.
const written = {
  shell_port: 52317,
  iopub_port: 40885,
  stdin_port: 42745,
  control_port: 45567,
  hb_port: 46379,
  ip: '127.0.0.1',
  key: 'd9a81f4a-0a9cc2d0c7f1ae3a1d30d1a7',
  transport: 'tcp',
  signature_scheme: 'hmac-sha256',
  kernel_name: 'qemu-vtop',
  jupyter_session: '/notebook.ipynb',
}

suite('a connection file', () => {
  test('tells where each socket listens', () => {
    const connection = checkConnection(written)
    assert.equal(endpoint(connection, 'shell'), 'tcp://127.0.0.1:52317')
    assert.equal(endpoint(connection, 'hb'), 'tcp://127.0.0.1:46379')
  })

  test('of transport ipc names files', () => {
    const connection = checkConnection({
      ...written,
      transport: 'ipc',
      ip: 'kernel-ipc',
      iopub_port: 3,
    })
    assert.equal(endpoint(connection, 'iopub'), 'ipc://kernel-ipc-3')
  })

  test('may hold an IPv6 address', () => {
    assert.equal(endpoint(checkConnection({ ...written, ip: '::1' }), 'stdin'), 'tcp://[::1]:42745')
  })

  const bad: [string, Record<string, unknown>, RegExp][] = [
    ['a port as text', { shell_port: '1' }, /shell_port is "1", not a port/],
    ['a missing port', { hb_port: undefined }, /hb_port/],
    ['a port beyond all ports', { hb_port: 65536 }, /hb_port is 65536/],
    ['a transport that is unknown', { transport: 'udp' }, /transport is "udp"/],
    ['a key that is no text', { key: 5 }, /key is not a string/],
    ['one curve key without the other', { curve_publickey: 'x'.repeat(40) }, /curve_secretkey/],
    [
      'a curve key that is too short',
      { curve_publickey: 'x', curve_secretkey: 'y' },
      /curve_publickey/,
    ],
  ]
  for (const [what, change, message] of bad) {
    test(`with ${what} is refused`, () => {
      assert.throws(() => checkConnection({ ...written, ...change }), message)
    })
  }

  test('that cannot be read is named in the error', () => {
    const folder = mkdtempSync(join(tmpdir(), 'connection-'))
    try {
      const path = join(folder, 'kernel.json')
      assert.throws(() => readConnectionFile(path), ConnectionFileError)
      writeFileSync(path, '{')
      assert.throws(() => readConnectionFile(path), /cannot read connection file .*kernel\.json/)
      writeFileSync(path, '[]')
      assert.throws(() => readConnectionFile(path), /kernel\.json: not a JSON object/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
