// SPDX-License-Identifier: GPL-2.0-or-later
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hex } from '../../core/bytes/hex.ts'
import { DumpError, openDump, UsageError, viewOf } from '../../core/index.ts'

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

describe('a dump that is opened with what is known of its kernel', () => {
  const { physBase } = openDump.sample().bases

  it('takes phys_base as a number, as a bigint and as text, and says so in its summary', () => {
    for (const given of [physBase.value, Number(physBase.value), hex(physBase.value)]) {
      const dump = openDump.sample({ physBase: given })
      assert.equal(dump.bases.physBase.value, physBase.value)
      assert.match(viewOf(dump)?.text ?? '', /phys_base.*openDump\(path, \{physBase\}\), verified/)
    }
  })

  it('refuses one that is not the right one, and one that is no number', () => {
    for (const given of [-physBase.value, '-0x1200000', 0x200000]) {
      const dump = openDump.sample({ physBase: given })
      assert.throws(() => dump.bases, UsageError)
    }
    assert.throws(() => openDump.sample({ physBase: 'nine' }), /no address/)
    assert.throws(() => openDump.sample({ cr3: -1 }), /no address/)
  })
})
