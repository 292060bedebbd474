// SPDX-License-Identifier: GPL-2.0-or-later
// Coverage of damaged hosts: what is left is counted, and what is missing or wrong is told with its place.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type Coverage, onProgress, openDump, qemuVtop, viewOf } from '../../../core/index.ts'
import { writeWithoutPages } from '../../build/lostpages.ts'
import { page } from '../../build/pagetable.ts'
import {
  guestHpa,
  guestHva,
  guestSlot,
  smallHost,
  vmmPid,
  withDump,
} from '../../build/smallhost.ts'
import { realDump } from '../../place.ts'

const { path, skip } = realDump('5.10')
const pid = 107
/** A page in small pages, in the middle of the guest's largest slot. */
const gpa = 0x3000000

function bytesIn(coverage: Coverage, state: string): number {
  return coverage.groupBy('state').find((group) => group.state === state)?.bytes ?? 0
}

describe('coverage of a dump of 5.10', { skip }, () => {
  const dump = skip === false ? openDump(path) : undefined
  const without = (pfns: Iterable<number>, use: (coverage: Coverage, whole: Coverage) => void) => {
    const temporary = mkdtempSync(join(tmpdir(), 'coverage-'))
    try {
      const damaged = join(temporary, 'vmcore')
      writeWithoutPages(path, damaged, new Set(pfns))
      const opened = openDump(damaged)
      use(opened.vm(pid).coverage(), dump?.vm(pid).coverage() ?? assert.fail())
      opened.close()
    } finally {
      rmSync(temporary, { recursive: true })
    }
  }
  const entryAt = (level: number) => {
    const { steps } = qemuVtop(dump?.task(pid) ?? assert.fail(), gpa).walk ?? assert.fail()
    return Math.floor((steps.find((step) => step.level === level)?.entryAt ?? 0) / 4096)
  }

  it('without a page table counts its 512 pages as not in the dump, and all others as before', () => {
    without([entryAt(1)], (coverage, whole) => {
      assert.equal(bytesIn(coverage, 'not-in-dump'), 512 * 4096)
      assert.equal(coverage.bytes, whole.bytes)
      assert.equal(coverage.remarks.length, 1)
      const [remark = ''] = coverage.remarks
      assert.match(
        remark,
        /^512 pages: a page table is not in the dump; the first: gpa 0x3000000, /,
      )
      assert.match(remark, /the table at 0x[0-9a-f]+: makedumpfile did not save the page/)
      assert.match(viewOf(coverage)?.text ?? '', /a page table is not in the dump/)
      for (const { state, bytes } of whole.groupBy('state')) {
        const found = bytesIn(coverage, state ?? '')
        assert.ok(found <= bytes && found >= bytes - 512 * 4096, state)
      }
    })
  })

  it('without the top table counts nothing but what is missing', () => {
    without([entryAt(4)], (coverage) => {
      assert.equal(bytesIn(coverage, 'not-in-dump'), coverage.bytes)
      assert.match(coverage.remarks.join(), /a page table is not in the dump/)
      assert.ok((viewOf(coverage)?.charts.length ?? 0) > 1)
    })
  })

  it('without a page of struct pages knows neither kind nor node of its frames, but their states', () => {
    const host = dump?.host ?? assert.fail()
    const frame = Math.floor((qemuVtop(dump?.task(pid) ?? assert.fail(), 0x1000).hpa ?? 0) / 4096)
    const hpa = host.space.physical(host.bases.vmemmap + BigInt(frame * 64))
    without([Math.floor(hpa / 4096)], (coverage, whole) => {
      assert.deepEqual(coverage.groupBy('state', 'pageSize'), whole.groupBy('state', 'pageSize'))
      const unknown = coverage.groupBy('kind').find(({ kind }) => kind === 'unknown')
      assert.ok(unknown && unknown.bytes >= 4096)
      assert.match(
        coverage.remarks.join(),
        /what their frames are used for is not in the dump; the first: gpa 0x[0-9a-f]+, frame 0x[0-9a-f]+: cannot read/,
      )
    })
  })

  it('that is interrupted leaves nothing behind, and counts all when it is asked again', () => {
    const vm = dump?.vm(pid) ?? assert.fail()
    const stop = onProgress(() => ({
      advance: () => {
        throw new Error('interrupted')
      },
      finish: () => undefined,
      stop: () => undefined,
    }))
    assert.throws(() => vm.coverage(), /^Error: interrupted$/)
    stop()
    assert.equal(vm.coverage().bytes, 96 * 2 ** 20 + 2 ** 18)
  })
})

describe('coverage of a host whose page tables are damaged', () => {
  it('tells of entries that cannot be, and of frames and addresses that no host has', () => {
    const high = 0x600000000000n
    const built = smallHost(
      {},
      {
        vms: [
          {
            slots: [
              guestSlot,
              { id: 1, gpa: 0x10000000, pages: 0x200, hva: high },
              { id: 2, gpa: 0x20000000, pages: 0x10, hva: 0xffff900000000000n },
            ],
          },
        ],
        entries: [
          [guestHva, 1, page(guestHpa)],
          [guestHva + 0x1000n, 1, page(2 ** 50)],
          // No large page is that large.
          [high, 4, page(2 ** 39, 2)],
        ],
      },
    )
    withDump(built, (dump) => {
      const [vm] = dump.task(vmmPid).vms
      const coverage = vm?.coverage() ?? assert.fail()
      assert.equal(bytesIn(coverage, 'mapped'), 2 * 4096)
      assert.equal(bytesIn(coverage, 'unmapped'), coverage.bytes - 2 * 4096)
      assert.deepEqual(
        coverage.remarks.map((remark) => remark.replace(/; the first: .*/, '')),
        [
          '1 page: what their frames are used for is not in the dump',
          '512 pages: the page table is damaged',
          '16 pages: the memslot leads to no user address',
        ],
      )
      assert.match(coverage.remarks[0] ?? '', /frame 0x4000000000: the host has no such frame/)
      assert.match(coverage.remarks[1] ?? '', /gpa 0x10000000, hva 0x600000000000$/)
      const beyond = coverage.shares.find(({ kind, inDump }) => kind === 'unknown' && !inDump)
      assert.equal(beyond?.bytes, 4096)
    })
  })
})
