// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/reverse/quickkinds.ts: what is told out of words is what the long way tells, for every kind of frame.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DumpError } from '../../../core/errors.ts'
import { openDump } from '../../../core/index.ts'
import { KernelPages } from '../../../core/reverse/kernelpage.ts'
import {
  isRam,
  kernelKind,
  kindCode,
  type KindSources,
  type RowKind,
} from '../../../core/reverse/kinds.ts'
import { QuickKinds } from '../../../core/reverse/quickkinds.ts'
import { kernels, realDump } from '../../place.ts'

/** Frames are far from each other in kind, and near in memory: a prime step meets all sorts. */
const STEP = 13
/** Kinds of frames of the kernel that every host has. */
const KINDS = ['anon', 'file', 'swap-cache', 'free', 'slab', 'table', 'kernel', 'reserved']

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`QuickKinds of the dump of ${kernel}`, { skip }, () => {
    it('tell of every frame what the long way tells', () => {
      const dump = openDump(path)
      const { linux } = dump.vms[0] ?? assert.fail()
      const quick = new QuickKinds(linux)
      const { endPfn } = linux.host.memory.source
      const back = { linux, kernel: new KernelPages(linux), endPfn }
      const counts = new Map<string, number>()
      let later = 0
      for (let pfn = 0; pfn < endPfn; pfn += STEP) {
        if (!isRam(back, pfn)) continue
        const kind = longWay(back, pfn)
        const unasked = quick.code(pfn, false)
        if (unasked === undefined) later++
        else assert.equal(unasked, kindCode(kind), `frame ${pfn}: ${kind}`)
        assert.equal(quick.code(pfn, true), kindCode(kind), `frame ${pfn}: ${kind}`)
        counts.set(kind, (counts.get(kind) ?? 0) + 1)
      }
      dump.close()
      for (const kind of KINDS) assert.ok((counts.get(kind) ?? 0) > 5, kind)
      // Only the first page of each file takes a closer look, and those whose file cannot be read.
      assert.ok(later < 1000, `${later} frames`)
    })
  })
}

function longWay(back: KindSources, pfn: number): RowKind {
  try {
    return kernelKind(back, pfn, back.linux.pages.at(pfn))
  } catch (error) {
    assert.ok(error instanceof DumpError)
    return 'unknown'
  }
}
