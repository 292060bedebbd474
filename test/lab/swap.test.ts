// SPDX-License-Identifier: GPL-2.0-or-later
// What zram stores in special ways, on a host of the lab whose scenario made it so: test/lab/scenarios/swap.sh.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type HostDump, openDump, qemuVtop, type Vm } from '../../core/index.ts'
import { isMade, labHosts, labWork, madeHost } from './place.ts'

const MIB = 1 << 20

for (const key of labHosts.filter((one) => one.endsWith('-swap') && isMade(one))) {
  describe(`the swapped pages of the lab's host ${key}`, () => {
    let dump: HostDump
    let vm: Vm
    before(() => {
      dump = openDump(join(madeHost(key), 'vmcore'))
      vm = dump.vms[0] ?? assert.fail()
    })
    after(() => {
      dump.close()
    })

    it('that do not compress are read as they are', () => {
      // The half MiB of random bytes that was not written back.
      const random = readFileSync(join(labWork, 'work', key, 'share', 'random'))
      for (let at = MIB / 2; at < MIB; at += 4096) {
        const { content } = qemuVtop(vm, 32 * MIB + at)
        assert.deepEqual([content.from, content.how], ['zram', 'zram0, not compressed'])
        assert.ok(random.subarray(at, at + 4096).equals(vm.read(32 * MIB + at, 4096)), `${at}`)
      }
    })

    it('that are one word over and over are filled with it', () => {
      for (let at = 34 * MIB; at < 34 * MIB + 0x40000; at += 4096) {
        assert.match(qemuVtop(vm, at).content.how, /^zram0, filled with 0x5a5a5a5a5a5a5a5a$/)
        assert.ok(vm.read(at, 4096).every((byte) => byte === 0x5a))
      }
    })

    it('that were written back to the backing device are named so', () => {
      for (let at = 32 * MIB; at < 32 * MIB + MIB / 2; at += 4096) {
        assert.equal(qemuVtop(vm, at).state, 'swapped')
        assert.throws(() => vm.read(at, 8), /page \d+ of zram0 was written back to its backing/)
      }
    })

    it('of zeros, on a device that is a file, are zeros', () => {
      for (let at = 36 * MIB; at < 36 * MIB + MIB / 2; at += 4096) {
        assert.equal(qemuVtop(vm, at).swap?.path, '/mnt/swapfile')
        assert.ok(vm.read(at, 4096).every((byte) => byte === 0))
      }
    })
  })
}
