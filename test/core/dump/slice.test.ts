// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/dump/slice.ts and core/dump/recording.ts.

import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { bytesAsFile } from '../../../core/dump/file.ts'
import { type Missing, type PageSource } from '../../../core/dump/format.ts'
import { openPages } from '../../../core/dump/open.ts'
import { RecordingPages } from '../../../core/dump/recording.ts'
import { writeSlice } from '../../../core/dump/slice.ts'
import { DumpError, UsageError } from '../../../core/errors.ts'
import { buildElf } from '../../build/elf.ts'
import { buildKdump } from '../../build/kdump.ts'
import { patterned } from '../../build/pages.ts'

const folder = mkdtempSync(join(tmpdir(), 'slice-test-'))
after(() => {
  rmSync(folder, { recursive: true })
})
const pages = patterned([1, 2, 3, 40, 41, 9_000_000], [3, 41])
// Incompressible: must be stored as it is.
pages.set(
  7,
  Uint8Array.from({ length: 4096 }, (_, i) => (Math.imul(i * i + 77, 2654435761) >>> 13) & 0xff),
)
const vmcoreinfo = 'OSRELEASE=6.12.0-test\nNUMBER(phys_base)=-18874368\n'
const prstatus = { name: 'CORE', type: 1, desc: new Uint8Array(336).fill(7) }

function kdump(): PageSource {
  const memory = [[0, 50]] as const
  const description = {
    pages,
    memory,
    vmcoreinfo,
    notes: [prstatus],
    dumpLevel: 23,
    codec: 'zlib',
  } as const
  return openPages(bytesAsFile('vmcore', buildKdump(description).bytes))
}

function elf(): PageSource {
  const segments = [...pages].map(([pfn, data]) => ({ paddr: pfn * 4096, data }))
  const note = { name: 'VMCOREINFO', type: 0, desc: new TextEncoder().encode(vmcoreinfo) }
  return openPages(bytesAsFile('vmcore', buildElf({ segments, notes: [[prstatus, note]] })))
}

describe('writeSlice', () => {
  it('writes chosen pages, in any order and twice, and counts those that the source does not have', () => {
    const path = join(folder, 'chosen')
    const result = writeSlice(kdump(), [40, 3, 7, 7, 1, 41, 30, 2_000_000], path)
    assert.deepEqual([result.pages, result.missing], [5, 2])
    assert.equal(result.bytes, readFileSync(path).length)
    const slice = openPages(path)
    for (const pfn of [1, 3, 7, 40, 41])
      assert.deepEqual(slice.page(pfn), pages.get(pfn), String(pfn))
    slice.close()
  })

  it('keeps what the dump says of itself', () => {
    const path = join(folder, 'facts')
    const source = kdump()
    writeSlice(source, [1], path)
    const slice = openPages(path)
    assert.equal(slice.vmcoreinfo, vmcoreinfo)
    assert.equal(slice.endPfn, source.endPfn)
    assert.deepEqual(slice.notes.slice(0, 2), source.notes)
    const remarks = ['a slice of a dump: only chosen pages are in it']
    assert.deepEqual(slice.facts, { ...source.facts, remarks })
    slice.close()
  })

  it('tells a hole from a page that is not in the slice', () => {
    const path = join(folder, 'holes')
    writeSlice(kdump(), [1], path)
    const slice = openPages(path)
    assert.equal((slice.page(50) as Missing).why, 'hole')
    for (const pfn of [2, 30]) {
      const missing = slice.page(pfn) as Missing
      assert.equal(missing.why, 'excluded')
      assert.match(missing.detail, /not in this slice/)
    }
    slice.close()
  })

  it('of a slice is a slice with one mark', () => {
    const [first, second] = [join(folder, 'first'), join(folder, 'second')]
    writeSlice(kdump(), [1, 2, 3], first)
    const source = openPages(first)
    writeSlice(source, [1, 3], second)
    const slice = openPages(second)
    assert.deepEqual(slice.notes, source.notes)
    assert.deepEqual(slice.page(3), pages.get(3))
    source.close()
    slice.close()
  })

  it('of an ELF dump has its notes, and phys_base out of VMCOREINFO', () => {
    const path = join(folder, 'of-elf')
    const source = elf()
    writeSlice(source, pages.keys(), path)
    const slice = openPages(path)
    for (const [pfn, page] of pages) assert.deepEqual(slice.page(pfn), page)
    assert.equal((slice.page(5) as Missing).why, 'hole')
    assert.equal(slice.facts.physBase, -18874368n)
    assert.equal(slice.facts.cpus, 1)
    assert.deepEqual(slice.notes.slice(0, 2), source.notes)
    slice.close()
  })

  it('has VMCOREINFO as a note when the source only had its text', () => {
    const path = join(folder, 'of-version-3')
    const bytes = buildKdump({ version: 3, pages, vmcoreinfo }).bytes
    writeSlice(openPages(bytesAsFile('vmcore', bytes)), [1], path)
    const slice = openPages(path)
    assert.equal(slice.vmcoreinfo, vmcoreinfo)
    assert.equal(slice.notes[0]?.name, 'VMCOREINFO')
    slice.close()
  })

  it('stores pages of zeros once', () => {
    const zeros = new Map(Array.from({ length: 500 }, (_, i) => [i, new Uint8Array(4096)] as const))
    const source = openPages(bytesAsFile('vmcore', buildKdump({ pages: zeros }).bytes))
    const { pages: count, bytes } = writeSlice(source, zeros.keys(), join(folder, 'zeros'))
    assert.equal(count, 500)
    assert.ok(bytes < 10 * 4096, `${bytes} bytes`)
  })

  it('can be empty', () => {
    const path = join(folder, 'empty')
    assert.equal(writeSlice(kdump(), [], path).pages, 0)
    const slice = openPages(path)
    assert.equal((slice.page(1) as Missing).why, 'excluded')
    slice.close()
  })

  it('does not replace a file unless told to', () => {
    const path = join(folder, 'there')
    writeFileSync(path, 'something of value')
    assert.throws(() => writeSlice(kdump(), [1], path), UsageError)
    assert.equal(readFileSync(path, 'utf8'), 'something of value')
    writeSlice(kdump(), [1], path, { overwrite: true })
    assert.equal(openPages(path).facts.format, 'kdump-compressed')
  })

  it('leaves no file behind when the source fails half way', () => {
    const source = kdump()
    const failing: PageSource = {
      facts: source.facts,
      endPfn: source.endPfn,
      notes: source.notes,
      vmcoreinfo: source.vmcoreinfo,
      page(pfn) {
        if (pfn === 40) throw new Error('the disk is gone')
        return source.page(pfn)
      },
      close() {
        source.close()
      },
    }
    const before = readdirSync(folder)
    assert.throws(
      () => writeSlice(failing, [1, 2, 40], join(folder, 'half')),
      (error) => error instanceof DumpError && /half': the disk is gone/.test(error.message),
    )
    assert.deepEqual(readdirSync(folder), before)
  })

  it('says which file it could not write, and why', () => {
    const path = join(folder, 'no-such-folder', 'slice')
    assert.throws(
      () => writeSlice(kdump(), [1], path),
      (error) =>
        error instanceof DumpError && error.message.includes(path) && /ENOENT/.test(error.message),
    )
  })
})

describe('RecordingPages', () => {
  it('gives what its source gives, and knows what was handed out', () => {
    const source = kdump()
    const recording = new RecordingPages(source)
    assert.equal(recording.vmcoreinfo, source.vmcoreinfo)
    assert.deepEqual(recording.facts, source.facts)
    for (const pfn of [40, 1, 40, 30, 2_000_000])
      assert.deepEqual(recording.page(pfn), source.page(pfn))
    assert.equal(recording.exists(30), true)
    assert.equal(recording.exists(2_000_000), false)
    assert.deepEqual(recording.pfns, [1, 40])
  })
})
