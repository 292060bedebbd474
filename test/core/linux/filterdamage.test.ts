// SPDX-License-Identifier: GPL-2.0-or-later
// The damage of an old makedumpfile is told from everything else that a dump lacks.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { FaultError, openDump } from '../../../core/index.ts'
import { type PageSource } from '../../../core/dump/format.ts'
import { openPages } from '../../../core/dump/open.ts'
import { buildKdump } from '../../build/kdump.ts'
import { hostParts } from '../../build/hostparts.ts'
import { readPfns, withoutPages } from '../../build/lostpages.ts'
import { kernels, realDump } from '../../place.ts'

const WORDS = /makedumpfile 1\.7\.8 or older, which does not know this kernel .*newer makedumpfile/

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`the dump of ${kernel} as it is`, { skip }, () => {
    it('is not diagnosed', () => {
      const dump = openDump(path)
      assert.ok(dump.remarks.every((remark) => !WORDS.test(remark)))
      dump.close()
    })

    it('has no missing page that is explained so', () => {
      const source = openPages(path)
      const { memory } = hostParts(source).linux.host
      let missing = 0
      // Every 7th page that makedumpfile left out.
      for (let pfn = 0; pfn < source.endPfn; pfn += 7) {
        const page = memory.tryPage(pfn)
        if (page instanceof Uint8Array) continue
        missing++
        assert.doesNotMatch(page.detail, WORDS)
      }
      assert.ok(missing > 1000)
      source.close()
    })
  })
}

const { folder, path, skip } = realDump('7.3')
describe('the dump of 7.3 without what makedumpfile 1.7.8 leaves out', { skip }, () => {
  const lost = skip === false ? readPfns(join(folder, 'lost-pfns.txt')) : new Set<number>()
  const open = (pfns: ReadonlySet<number>) => hostParts(withoutPages(openPages(path), pfns)).linux

  it('is diagnosed from some tasks, without a fault before', () => {
    assert.match(open(lost).damage?.diagnosis ?? '', WORDS)
  })

  it('explains each of those pages, and in errors too', () => {
    const { host } = open(lost)
    for (const pfn of lost) {
      const page = host.memory.tryPage(pfn)
      assert.ok(!(page instanceof Uint8Array))
      assert.match(page.detail, WORDS)
    }
    const [first = 0] = lost
    assert.throws(
      () => host.space.u64(host.bases.directMap.value + BigInt(first * 4096)),
      (error) => error instanceof FaultError && WORDS.test(error.message),
    )
  })

  it('is not diagnosed when other pages are missing', () => {
    // The frames behind those: third pages of slabs, or first ones of the next.
    const others = new Set([...lost].map((pfn) => pfn + 1).filter((pfn) => !lost.has(pfn)))
    const linux = open(others)
    assert.equal(linux.damage?.diagnosis, undefined)
  })

  it('is not diagnosed at a dump level that keeps user pages, nor in an older kernel', () => {
    const source = withoutPages(openPages(path), lost)
    const kept = { ...source, facts: { ...source.facts, dumpLevel: 23 } }
    assert.equal(hostParts(kept).linux.damage, undefined)
    const older = source.vmcoreinfo?.replace('page.compound_info', 'page.compound_head')
    assert.equal(hostParts({ ...source, vmcoreinfo: older }).linux.damage, undefined)
  })
})

describe(
  'the dump of 7.3, filtered once more by the makedumpfile of this machine',
  {
    skip: skip === false ? whyNoOldMakedumpfile() : skip,
  },
  () => {
    const temporary = mkdtempSync(join(tmpdir(), 'filtered-'))
    let whole: PageSource
    before(() => {
      whole = openPages(path)
      writeFileSync(join(temporary, 'whole'), readableByOlder(whole))
    })
    after(() => {
      whole.close()
      rmSync(temporary, { recursive: true })
    })

    for (const [level, isDamaged] of [
      [31, true],
      [23, false],
    ] as const) {
      it(`at level ${level} ${isDamaged ? 'lacks exactly the listed pages and is diagnosed' : 'is whole'}`, () => {
        const file = join(temporary, `level-${level}`)
        const run = spawnSync('makedumpfile', ['-d', `${level}`, join(temporary, 'whole'), file])
        assert.equal(run.status, 0, run.stderr.toString())
        const filtered = openPages(file)
        const gone = new Set<number>()
        for (let pfn = 0; pfn < whole.endPfn; pfn++) {
          const wasThere = whole.page(pfn) instanceof Uint8Array
          if (wasThere && !(filtered.page(pfn) instanceof Uint8Array)) gone.add(pfn)
        }
        assert.deepEqual(gone, isDamaged ? readPfns(join(folder, 'lost-pfns.txt')) : new Set())
        assert.equal(hostParts(filtered).linux.damage?.diagnosis !== undefined, isDamaged)
        filtered.close()
      })
    }
  },
)

/** The same dump without compression: not every makedumpfile reads zstd. */
function readableByOlder(source: PageSource): Uint8Array {
  const pages = new Map<number, Uint8Array>()
  for (let pfn = 0; pfn < source.endPfn; pfn++) {
    const page = source.page(pfn)
    if (page instanceof Uint8Array) pages.set(pfn, page)
  }
  return buildKdump({
    pages,
    memory: [[0, source.endPfn]],
    dumpLevel: 0,
    notes: source.notes.filter(({ name }) => name !== 'VMCOREINFO'),
    vmcoreinfo: source.vmcoreinfo ?? '',
    sub: { phys_base: source.facts.physBase ?? 0n },
  }).bytes
}

function whyNoOldMakedumpfile(): string | false {
  const { stdout, stderr, error } = spawnSync('makedumpfile', ['-v'])
  if (error !== undefined) return 'no makedumpfile on this machine'
  const version = /version (\d+)\.(\d+)\.(\d+)/.exec(`${stdout.toString()}${stderr.toString()}`)
  if (version === null) return 'makedumpfile does not say its version'
  const [major, minor, patch] = version.slice(1).map(Number)
  const isOld = major === 1 && (minor ?? 0) * 100 + (patch ?? 0) <= 708
  return isOld ? false : `makedumpfile ${version[0]} is not 1.7.8 or older`
}
