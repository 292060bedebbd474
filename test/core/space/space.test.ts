// SPDX-License-Identifier: GPL-2.0-or-later
// Reads that go over several pages say which page is missing, where it is, and how many bytes before it are good.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FaultError, type HostDump } from '../../../core/index.ts'
import { page } from '../../build/pagetable.ts'
import { guestHpa, guestHva, smallHost, vmmPid, withDump } from '../../build/smallhost.ts'

/** A host with two pages in a row, at `guestHpa` and in the VMM, of which the second is not in the dump. */
function withGap<T>(use: (dump: HostDump) => T): T {
  const built = smallHost(
    {},
    {
      entries: [
        [guestHva, 1, page(guestHpa)],
        [guestHva + 0x1000n, 1, page(guestHpa + 0x1000)],
      ],
    },
  )
  built.kernel.memory.zero(guestHpa).zero(guestHpa + 0x1000)
  return withDump(built.without(guestHpa + 0x1000), use)
}

function fault(ask: () => unknown): FaultError {
  try {
    ask()
  } catch (error) {
    assert.ok(error instanceof FaultError)
    return error
  }
  return assert.fail('nothing was thrown')
}

const next = guestHpa + 0x1000

describe('a read over a page that is not in the dump', () => {
  it('by physical address says how much is good', () => {
    withGap((dump) => {
      assert.equal(dump.readPhysical(guestHpa, 4096).length, 4096)
      const error = fault(() => dump.readPhysical(guestHpa + 0xf00, 0x400))
      assert.deepEqual([error.good, error.address, error.reason], [0x100, next, 'excluded'])
      assert.match(
        error.message,
        /^cannot read physical address 0x10001000: .* \(256 of 1024 bytes before it are good\)$/,
      )
    })
  })

  it('by kernel address names both addresses and how much is good', () => {
    withGap((dump) => {
      const at = dump.bases.directMap.value + BigInt(guestHpa)
      const error = fault(() => dump.read(at + 0xffcn, 8))
      assert.deepEqual([error.good, error.address], [4, at + 0x1000n])
      assert.match(
        error.message,
        /its page at hpa 0x10001000: .* \(4 of 8 bytes before it are good\)$/,
      )
    })
  })

  it('by user address names both addresses and how much is good', () => {
    withGap((dump) => {
      const { userSpace } = dump.task(vmmPid)
      const error = fault(() => userSpace.bytes(guestHva, 0x3000))
      assert.deepEqual([error.good, error.address], [0x1000, guestHva + 0x1000n])
      assert.match(
        error.message,
        /its page at hpa 0x10001000: .*\(4096 of 12288 bytes before it are good\)$/,
      )
    })
  })

  it('that begins with the missing page says that nothing is good', () => {
    withGap((dump) => {
      const error = fault(() => dump.readPhysical(next, 0x2000))
      assert.equal(error.good, 0)
    })
  })

  it('within one page says nothing of others, also with what it was needed for', () => {
    withGap((dump) => {
      const error = fault(() => dump.readPhysical(next, 8))
      assert.equal(error.good, undefined)
      const longer = fault(() => dump.readPhysical(guestHpa, 0x2000))
      assert.equal(longer.neededFor('a test').good, 0x1000)
    })
  })
})
