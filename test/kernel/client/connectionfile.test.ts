// SPDX-License-Identifier: GPL-2.0-or-later
// Connection files that a client makes: private, readable by the kernel, gone afterwards.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { writeConnection } from '../../../kernel/client/connectionfile.ts'
import { readConnectionFile } from '../../../kernel/protocol/connection.ts'

for (const transport of ['ipc', 'tcp'] as const) {
  test(`a connection file over ${transport} is read back as it was made, and only its owner can read it`, async () => {
    const { connection, path, remove } = await writeConnection(transport)
    try {
      assert.equal(connection.transport, transport)
      assert.deepEqual(readConnectionFile(path), connection)
      assert.equal(connection.key.length, 64)
      const { shell_port, control_port, iopub_port, stdin_port, hb_port } = connection
      const ports = [shell_port, control_port, iopub_port, stdin_port, hb_port]
      assert.equal(new Set(ports).size, 5)
      assert.equal(statSync(path).mode & 0o777, 0o600)
      assert.equal(statSync(dirname(path)).mode & 0o777, 0o700)
    } finally {
      remove()
    }
    assert.equal(existsSync(dirname(path)), false)
    remove()
  })
}

test('two connection files have different keys and places', async () => {
  const [one, two] = [await writeConnection(), await writeConnection()]
  try {
    assert.notEqual(one.connection.key, two.connection.key)
    assert.notEqual(one.path, two.path)
  } finally {
    one.remove()
    two.remove()
  }
})

test('a temporary folder with a long name gets ports, because socket names have a limit', async () => {
  const before = process.env['TMPDIR']
  const long = mkdtempSync(join(tmpdir(), 'x'.repeat(100)))
  process.env['TMPDIR'] = long
  try {
    const { connection, remove } = await writeConnection('ipc')
    remove()
    assert.equal(connection.transport, 'tcp')
  } finally {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
    rmSync(long, { recursive: true })
  }
})
