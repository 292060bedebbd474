// SPDX-License-Identifier: GPL-2.0-or-later
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DumpError, openDump } from '../../core/index.ts'

describe('a dump that was closed', () => {
  it('says so when it is asked for what was not read before', () => {
    const dump = openDump.sample()
    dump.close()
    for (const ask of [() => dump.vms, () => dump.task(1), () => dump.declarations()]) {
      assert.throws(ask, (error) => error instanceof DumpError && error.code === 'closed')
    }
  })

  it('still tells what it has read', () => {
    const dump = openDump.sample()
    const { release } = dump
    dump.close()
    assert.equal(dump.release, release)
    assert.match(release, /^6\.12\./)
  })
})
