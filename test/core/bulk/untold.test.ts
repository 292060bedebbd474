// SPDX-License-Identifier: GPL-2.0-or-later
// Swap entries whose form nobody can tell: a state of their rows, never the end of a whole call.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { qemuVtop } from '../../../core/index.ts'
import { page } from '../../build/pagetable.ts'
import { guestHva, guestSlot, smallHost, vmmPid, withDump } from '../../build/smallhost.ts'
import { bulk, checkRow, checkSame, ways } from './compare.ts'

test('pages behind entries of a form that cannot be told have a state and a reason', () => {
  // As 4.8 to 4.17 write it: the type in bits 9 to 13, the offset from bit 14. Three entries are too few to tell.
  const old = (offset: bigint) => offset << 14n
  const built = smallHost(
    { beforeL1tf: true, swaps: [{ path: '/dev/vda2', pages: 2000, cached: [] }] },
    {
      vms: [{ slots: [guestSlot] }],
      entries: [
        [guestHva, 1, page(0x10000000)],
        ...[1n, 2n, 3n].map((at) => [guestHva + at * 4096n, 1, old(at)] as const),
      ],
    },
  )
  withDump(built, (dump) => {
    const [vm] = dump.task(vmmPid).vms
    assert.ok(vm)
    const gpas = BigUint64Array.from([0n, 0x1008n, 0x2008n, 0x3008n, 0x4000n])
    const table = bulk(vm, gpas)
    assert.deepEqual(table.states, { mapped: 1, unmapped: 1, 'not-in-dump': 3 })
    for (let i = 0; i < gpas.length; i++) checkRow(vm, table, i)
    for (const way of ways) checkSame(bulk(vm, gpas, way), table)
    assert.match(
      qemuVtop(vm, 0x1008).reason,
      /^not in memory, and where it is the dump does not tell: .* cannot be told from 3 entries/,
    )
    const pages = vm.coverage().groupBy('state')
    assert.deepEqual(
      pages.map(({ state, bytes }) => [state, bytes / 4096]),
      [
        ['unmapped', 0x1000 - 4],
        ['not-in-dump', 3],
        ['mapped', 1],
      ],
    )
  })
})
