// SPDX-License-Identifier: GPL-2.0-or-later
// Modules of real dumps, against /proc/modules and /proc/kallsyms of their hosts.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { kernels, realDump } from '../../place.ts'
import { realHost } from '../types/real.ts'

for (const [i, kernel] of kernels.entries()) {
  const { folder, skip } = realDump(kernel)
  describe(`modules of ${kernel}`, { skip }, () => {
    it('are those of /proc/modules, in order, with address and size', () => {
      const lines = readFileSync(join(folder, 'proc-modules.txt'), 'utf8').trim().split('\n')
      const said = lines.map((line) => {
        const [name, size, , , state, base] = line.split(' ')
        return `${name ?? ''} ${size ?? ''} ${state ?? ''} ${base ?? ''}`
      })
      const found = realHost(kernel)
        .modules.list()
        .map(
          ({ name, size, state, base }) =>
            `${name} ${size} ${state === 'live' ? 'Live' : state} 0x${base.toString(16)}`,
        )
      assert.deepEqual(found, said)
    })

    it('have the symbols that /proc/kallsyms gave', () => {
      const lines = gunzipSync(readFileSync(join(folder, 'kallsyms.txt.gz')))
        .toString()
        .split('\n')
      const ofModules = lines.filter((line) => line.includes('['))
      assert.ok(ofModules.length > 50)
      for (const line of ofModules) {
        const [address = '', , name = '', module = ''] = line.split(/\s/)
        const found = realHost(kernel).modules.symbol(module.slice(1, -1), name)
        assert.equal(found?.toString(16), address, line)
      }
    })

    it('have types of their own where the kernel keeps them', () => {
      const { modules } = realHost(kernel)
      const kvm = modules.types('kvm')
      assert.equal(kvm === undefined, kernel === '5.10')
      const gmem = ['none', 'kvm_gmem', 'gmem_file'][i] ?? ''
      assert.equal(
        kvm?.struct(gmem)?.member('kvm')?.type.kind,
        kernel === '5.10' ? undefined : 'pointer',
      )
      assert.equal(kvm?.struct('task_struct'), kvm && realHost(kernel).types.struct('task_struct'))
      assert.equal(modules.types('zram')?.has('zram') ?? false, kernel !== '5.10')
    })

    it('are told from names that are none', () => {
      const { modules } = realHost(kernel)
      assert.equal(modules.find('kvm-amd')?.name, 'kvm_amd')
      assert.equal(modules.find('nothing'), undefined)
      assert.equal(modules.symbol('nothing', 'vm_list'), undefined)
      assert.equal(modules.symbol('kvm', 'no_such_symbol'), undefined)
      assert.equal(modules.types('nothing'), undefined)
    })
  })
}
