// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/reverse/quickkinds.ts: what is told quickly is what the long way tells, and most is.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DumpError } from '../../../core/errors.ts'
import { openDump } from '../../../core/index.ts'
import { KernelPages } from '../../../core/reverse/kernelpage.ts'
import { kernelKind, kindCode } from '../../../core/reverse/kinds.ts'
import { QuickKinds } from '../../../core/reverse/quickkinds.ts'
import { kernels, realDump } from '../../place.ts'

/** Frames are far from each other in kind, and near in memory: a prime step meets all sorts. */
const STEP = 13

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`QuickKinds of the dump of ${kernel}`, { skip }, () => {
    it('agree with the long way, and tell most frames of the kernel', () => {
      const dump = openDump(path)
      const { linux } = dump.vms[0] ?? assert.fail()
      const quick = new QuickKinds(linux)
      const { endPfn } = linux.host.memory.source
      const back = { linux, kernel: new KernelPages(linux), endPfn }
      let told = 0
      let ofKernel = 0
      const kinds = new Set<string>()
      for (let pfn = 0; pfn < endPfn; pfn += STEP) {
        let kind
        try {
          kind = kernelKind(back, pfn, linux.pages.at(pfn))
        } catch (error) {
          assert.ok(error instanceof DumpError)
          continue
        }
        if (['anon', 'file', 'swap-cache', 'hugetlb', 'not-ram', 'unknown'].includes(kind)) {
          const code = quick.code(pfn)
          // Where the host has no memory nobody asks.
          if (kind !== 'not-ram') assert.equal(code, undefined, `frame ${pfn}: ${kind}`)
          continue
        }
        ofKernel++
        const code = quick.code(pfn)
        if (code === undefined) continue
        told++
        kinds.add(kind)
        assert.equal(code, kindCode(kind), `frame ${pfn}: ${kind}`)
      }
      dump.close()
      assert.ok(ofKernel > 5000 && told > 0.9 * ofKernel, `${told} of ${ofKernel}`)
      for (const kind of ['free', 'slab', 'kernel']) assert.ok(kinds.has(kind), kind)
    })
  })
}
