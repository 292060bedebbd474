// SPDX-License-Identifier: GPL-2.0-or-later
// The readers on real dumps, against what the hosts and their guests said, and against re-encoded copies.

import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { bytesAsFile } from '../../../core/dump/file.ts'
import { PAGE_SIZE, type PageSource } from '../../../core/dump/format.ts'
import { openPages } from '../../../core/dump/open.ts'
import { writeSlice } from '../../../core/dump/slice.ts'
import { buildElf } from '../../build/elf.ts'
import { buildKdump } from '../../build/kdump.ts'
import { kernels, realDump } from '../../place.ts'

const folder = mkdtempSync(join(tmpdir(), 'realdumps-test-'))
after(() => {
  rmSync(folder, { recursive: true })
})

// What the two bitmaps say, counted bit by bit from the places that makedumpfile's IMPLEMENTATION names.
function countBits(path: string) {
  const bytes = readFileSync(path)
  const half = (bytes.readUInt32LE(436) / 2) * PAGE_SIZE
  const first = PAGE_SIZE * (1 + bytes.readInt32LE(432))
  const seen = { saved: 0, hole: 0, excluded: 0, lost: 0, corrupt: 0, unreadable: 0 }
  const frames = Number(bytes.readBigUInt64LE(PAGE_SIZE + 96))
  for (let pfn = 0; pfn < frames; pfn++) {
    const bit = (at: number) => ((bytes[at + (pfn >> 3)] ?? 0) & (1 << (pfn & 7))) !== 0
    seen[bit(first + half) ? 'saved' : bit(first) ? 'excluded' : 'hole']++
  }
  return seen
}

for (const kernel of kernels) {
  const dump = realDump(kernel)
  describe(`the real dump ${kernel}`, { skip: dump.skip }, () => {
    it('opens in a few milliseconds', () => {
      const took = Math.min(
        ...Array.from({ length: 5 }, () => {
          const start = performance.now()
          openPages(dump.path).close()
          return performance.now() - start
        }),
      )
      assert.ok(took < 10, `${took} ms`)
    })

    it('has every page that its bitmaps promise, holes and excluded pages apart', () => {
      const source = openPages(dump.path)
      const seen = { saved: 0, hole: 0, excluded: 0, lost: 0, corrupt: 0, unreadable: 0 }
      for (let pfn = 0; pfn < source.endPfn; pfn++) {
        const page = source.page(pfn)
        seen[page instanceof Uint8Array ? 'saved' : page.why]++
      }
      source.close()
      assert.deepEqual(seen, countBits(dump.path))
    })

    it('has the text of VMCOREINFO at the physical address that the host told', () => {
      const source = openPages(dump.path)
      // /sys/kernel/vmcoreinfo: physical address and size of the note, both hexadecimal.
      const [address = '', size = ''] = readFileSync(
        join(dump.folder, 'sys-vmcoreinfo.txt'),
        'utf8',
      ).split(' ')
      const note = physical(source, Number(address), parseInt(size, 16))
      // A note's header has 12 bytes, the name 'VMCOREINFO' with its padding 12 more.
      const text = new TextDecoder().decode(note.subarray(24)).replace(/\0[^]*/, '')
      assert.equal(source.vmcoreinfo, text)
      assert.ok(text.startsWith(`OSRELEASE=${source.facts.release ?? ''}\n`))
      source.close()
    })

    it('gives the same pages from an ELF file and from every header version', () => {
      const source = openPages(dump.path)
      const pages = sample(source, 150)
      const segments = [...pages].map(([pfn, data]) => ({ paddr: pfn * PAGE_SIZE, data }))
      const copies: [name: string, bytes: Uint8Array][] = [
        ['ELF', buildElf({ segments, skew: 0x650 })],
      ]
      for (let version = 1; version <= 6; version++) {
        for (const codec of ['none', 'zlib', 'lzo', 'snappy', 'zstd'] as const) {
          const { bytes } = buildKdump({ version, codec, pages, endPfn: source.endPfn })
          copies.push([`version ${version}, ${codec}`, bytes])
        }
      }
      for (const [name, bytes] of copies) {
        const copy = openPages(bytesAsFile('copy', bytes))
        for (const [pfn, page] of pages) {
          const read = copy.page(pfn)
          assert.ok(
            read instanceof Uint8Array && Buffer.compare(read, page) === 0,
            `${name}: ${pfn}`,
          )
        }
      }
      source.close()
    })

    it('gives the same pages, notes and holes from a slice', () => {
      const source = openPages(dump.path)
      const pages = sample(source, 1000)
      const path = join(folder, kernel)
      const { missing } = writeSlice(source, pages.keys(), path)
      assert.equal(missing, 0)
      const slice = openPages(path)
      for (const [pfn, page] of pages) assert.deepEqual(slice.page(pfn), page)
      for (let pfn = 0; pfn < source.endPfn; pfn += 61) {
        assert.equal(slice.exists?.(pfn), source.exists?.(pfn), String(pfn))
      }
      assert.deepEqual(slice.notes.slice(0, -1), source.notes)
      assert.equal(slice.vmcoreinfo, source.vmcoreinfo)
      source.close()
      slice.close()
    })
  })
}

const withUserPages = realDump('6.12')
describe('the guests of 6.12', { skip: withUserPages.skip }, () => {
  it('find the pages that they wrote where the host had put them', () => {
    const source = openPages(withUserPages.path)
    let seen = 0
    for (const vm of truth(withUserPages.folder).vms) {
      for (const { pfn, gpa, content_in_dump } of vm.translations) {
        if (content_in_dump !== 'pattern' || pfn === null) continue
        const page = source.page(Number(pfn))
        assert.ok(page instanceof Uint8Array, gpa)
        const words = new DataView(page.buffer, page.byteOffset, PAGE_SIZE)
        const guestPage = BigInt(gpa) & ~0xfffn
        // A guest wrote its own number and the page's address into the page, three times the address.
        assert.equal(words.getBigUint64(8, true), BigInt(vm.vmid))
        assert.equal(words.getBigUint64(16, true), guestPage)
        assert.equal(words.getBigUint64(24, true), BigInt.asUintN(64, ~guestPage))
        assert.equal(words.getBigUint64(4088, true), guestPage + BigInt(vm.vmid))
        seen++
      }
    }
    assert.ok(seen > 100, `${seen} pages`)
    source.close()
  })
})

interface Truth {
  readonly vms: readonly {
    readonly vmid: string
    readonly translations: readonly {
      readonly gpa: string
      readonly pfn: string | null
      readonly content_in_dump: string | null
    }[]
  }[]
}

function truth(path: string): Truth {
  const file = join(path, 'truth.json')
  assert.ok(existsSync(file), file)
  return JSON.parse(readFileSync(file, 'utf8')) as Truth
}

// About `count` saved pages, spread over the whole dump.
function sample(source: PageSource, count: number): Map<number, Uint8Array> {
  const pages = new Map<number, Uint8Array>()
  const step = Math.floor(source.endPfn / (count * 8)) | 1
  for (let pfn = 0; pfn < source.endPfn; pfn += step) {
    const page = source.page(pfn)
    if (page instanceof Uint8Array) pages.set(pfn, page)
  }
  assert.ok(pages.size > count / 4, `${pages.size} pages`)
  return pages
}

function physical(source: PageSource, address: number, length: number): Uint8Array {
  const first = Math.floor(address / PAGE_SIZE)
  const count = Math.ceil((address + length) / PAGE_SIZE) - first
  const parts = Array.from({ length: count }, (_, i) => {
    const page = source.page(first + i)
    assert.ok(page instanceof Uint8Array, `frame ${first + i}`)
    return page
  })
  return Buffer.concat(parts).subarray(address % PAGE_SIZE, (address % PAGE_SIZE) + length)
}
