// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/dump/slice.ts: chosen pages, sources of every kind, large hosts, and an end in the middle.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { bytesAsFile } from '../../../core/dump/file.ts'
import { PAGE_SIZE, type Missing, type PageSource } from '../../../core/dump/format.ts'
import { openPages } from '../../../core/dump/open.ts'
import { memoryOf, RecordingPages } from '../../../core/dump/recording.ts'
import { framesOf, writeSlice } from '../../../core/dump/slice.ts'
import { UsageError } from '../../../core/errors.ts'
import { openDump } from '../../../core/hostdump.ts'
import { buildElf } from '../../build/elf.ts'
import { buildFlat, cutIntoRecords } from '../../build/flat.ts'
import { buildKdump } from '../../build/kdump.ts'
import { patterned } from '../../build/pages.ts'

const folder = mkdtempSync(join(tmpdir(), 'chosen-test-'))
after(() => {
  rmSync(folder, { recursive: true })
})
let count = 0
const place = () => join(folder, `slice-${++count}`)

const pages = patterned([1, 3, 7, 40, 41, 100_000])
const memory = [[0, 50] as const, [99_990, 100_010] as const]
const kdump = buildKdump({ pages, memory, codec: 'zlib', dumpLevel: 23 }).bytes
const elf = buildElf({
  segments: [...pages].map(([pfn, data]) => ({ paddr: pfn * PAGE_SIZE, data })),
})

describe('The pages of a slice', () => {
  it('are frames, or ranges of physical memory of which each page is whole', () => {
    const given = [
      7,
      { hpa: 0x3010, length: 8 },
      { hpa: '0x28ffe', length: 4 },
      { hpa: 4096n, length: 1 },
    ]
    assert.deepEqual([...framesOf(given)], [7, 3, 40, 41, 1])
  })

  const wrong: readonly [name: string, pages: Parameters<typeof framesOf>[0]][] = [
    ['a negative frame', [-1]],
    ['half a frame', [1.5]],
    ['no number', [NaN]],
    ['a range without an address', [{ hpa: 'here', length: 1 }]],
    ['a range of nothing', [{ hpa: 0, length: 0 }]],
    ['more than 64 GiB', [{ hpa: 0, length: 2 ** 44 }]],
  ]
  for (const [name, given] of wrong) {
    it(`are not ${name}`, () => {
      assert.throws(() => [...framesOf(given)], UsageError)
    })
  }

  it('are written from a dump that was not recorded, and nothing besides', () => {
    const path = place()
    writeFileSync(path, kdump)
    for (const record of [false, true]) {
      const dump = openDump(path, { record })
      dump.memory.page(1)
      const out = place()
      const result = dump.slice(out, {
        pages: [3, { hpa: 40 * PAGE_SIZE, length: 2 * PAGE_SIZE }, 5],
      })
      dump.close()
      assert.deepEqual([result.pages, result.missing], [3, 1])
      const slice = openPages(out)
      for (const pfn of [3, 40, 41]) assert.deepEqual(slice.page(pfn), pages.get(pfn))
      assert.match((slice.page(1) as Missing).detail, /not in this slice/)
      slice.close()
    }
  })
})

describe('A slice', () => {
  const file = place()
  writeFileSync(file, kdump)
  const sources: readonly [name: string, open: () => PageSource][] = [
    ['kdump', () => openPages(file)],
    ['ELF', () => openPages(bytesAsFile('elf', elf))],
    ['flattened', () => openPages(bytesAsFile('flat', buildFlat(cutIntoRecords(kdump, 777))))],
    ['recorded', () => new RecordingPages(openPages(file))],
    ['frame by frame', () => withoutMemory(openPages(file))],
  ]
  for (const [name, open] of sources) {
    it(`has the same memory and pages as its source: ${name}`, () => {
      const source = open()
      const path = place()
      writeSlice(source, pages.keys(), path)
      const slice = openPages(path)
      assert.deepEqual([...memoryOf(slice)], [...memoryOf(source)])
      for (let pfn = 0; pfn < source.endPfn; pfn++) {
        assert.equal(slice.exists?.(pfn), source.exists?.(pfn), `frame ${pfn}`)
        if (pages.has(pfn)) assert.deepEqual(slice.page(pfn), pages.get(pfn))
      }
      slice.close()
      source.close()
    })
  }

  it('keeps what makedumpfile was told to erase', () => {
    const eraseinfo = 'erase jprobe.data size 128\nerase symbol\n'
    const bytes = Buffer.concat([kdump, Buffer.from(eraseinfo)])
    const place64 = bytes.subarray(PAGE_SIZE)
    place64.writeBigInt64LE(BigInt(kdump.length), 64)
    place64.writeBigUInt64LE(BigInt(eraseinfo.length), 72)
    const source = openPages(bytesAsFile('vmcore', bytes))
    assert.equal(source.facts.eraseinfo, eraseinfo)
    assert.match(
      source.facts.remarks.join(),
      /erased data in it: erase jprobe\.data size 128; erase/,
    )
    const path = place()
    writeSlice(source, [1], path)
    const slice = openPages(path)
    assert.equal(slice.facts.eraseinfo, eraseinfo)
    assert.deepEqual(slice.page(1), pages.get(1))
    slice.close()
  })

  it('of a host with 16 TB takes as long as what is written', () => {
    const end = 2 ** 32
    const source: PageSource = {
      facts: { format: 'test', remarks: [] },
      endPfn: end,
      notes: [],
      vmcoreinfo: undefined,
      page: (pfn) =>
        pfn === end - 1 ? new Uint8Array(PAGE_SIZE).fill(9) : { why: 'hole', detail: '' },
      exists: () => assert.fail('no frame is asked for by itself'),
      memory: () => [
        [256, 1000],
        [end - 70_003, end],
      ],
      close() {
        return
      },
    }
    const path = place()
    writeSlice(source, [end - 1], path)
    // 1 GiB of bitmaps, nearly all of it holes.
    assert.ok(statSync(path).size > 2 ** 30)
    assert.ok(statSync(path).blocks * 512 < 2 ** 20)
    const slice = openPages(path)
    assert.deepEqual([...memoryOf(slice)], [...(source.memory?.() ?? [])])
    assert.deepEqual(slice.page(end - 1), source.page(end - 1))
    slice.close()
  })

  it('whose writer is killed in the middle is not there', () => {
    const out = place()
    const url = (path: string) =>
      JSON.stringify(new URL(`../../../core/dump/${path}.js`, import.meta.url).href)
    const program = `
      import { openPages } from ${url('open')}
      import { writeSlice } from ${url('slice')}
      const source = openPages(${JSON.stringify(file)})
      const dying = {
        facts: source.facts, endPfn: source.endPfn, notes: [], vmcoreinfo: undefined,
        exists: (pfn) => source.exists(pfn),
        page(pfn) { if (pfn === 40) process.kill(process.pid, 'SIGKILL'); return source.page(pfn) },
        close() {},
      }
      writeSlice(dying, [1, 3, 40, 41], ${JSON.stringify(out)})`
    const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', program])
    assert.equal(signal, 'SIGKILL')
    assert.equal(existsSync(out), false)
  })
})

/** A source that only knows frames one by one. */
function withoutMemory(source: PageSource): PageSource {
  const { facts, endPfn, notes, vmcoreinfo } = source
  return {
    ...{ facts, endPfn, notes, vmcoreinfo },
    page: (pfn) => source.page(pfn),
    exists: (pfn) => source.exists?.(pfn) ?? false,
    close() {
      source.close()
    },
  }
}
