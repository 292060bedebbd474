// SPDX-License-Identifier: GPL-2.0-or-later
// Damaged dumps: whatever is flipped or cut, the readers end soon, with a page, a reason, or a DumpError.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { bytesAsFile } from '../../../core/dump/file.ts'
import { openPages } from '../../../core/dump/open.ts'
import { DumpError } from '../../../core/errors.ts'
import { buildElf } from '../../build/elf.ts'
import { buildKdump } from '../../build/kdump.ts'
import { patterned } from '../../build/pages.ts'

const pfns = [0, 1, 2, 3, 9, 10, 64, 500]
const pages = patterned(pfns, [2, 10])
const desc = new TextEncoder().encode('OSRELEASE=6.12.0-test\n')
const notes = [
  { name: 'CORE', type: 1, desc: new Uint8Array(336).fill(7) },
  { name: 'VMCOREINFO', type: 0, desc },
]
const asked = [...pfns, 4, 63, 511, 70_000, 2 ** 33, 2 ** 40]

const seeds: readonly [name: string, bytes: Uint8Array][] = [
  ...[1, 3, 6].flatMap((version) =>
    (['none', 'zlib', 'zstd'] as const).map((codec): [string, Uint8Array] => [
      `kdump version ${version}, ${codec}`,
      buildKdump({ version, codec, pages, notes }).bytes,
    ]),
  ),
  [
    'ELF',
    buildElf({
      segments: pfns.map((pfn) => ({
        paddr: pfn * 4096,
        data: pages.get(pfn) ?? new Uint8Array(),
      })),
      notes: [notes],
    }),
  ],
  [
    'ELF with its number of segments elsewhere',
    buildElf({
      segments: [{ paddr: 0, data: new Uint8Array(5000), memsz: 9000 }],
      xnum: true,
      phoff: 192,
    }),
  ],
]

const extremes = [0, 1, 0x7f, 0x80, 0xff]
/** The first two blocks hold headers: half of the changes go there. */
const place = (length: number) =>
  fc.oneof(
    fc.nat(Math.min(length, 600) - 1),
    fc.nat(Math.min(length, 5000) - 1),
    fc.nat(length - 1),
  )
const change = (length: number) =>
  fc.record({
    at: place(length),
    byte: fc.oneof(fc.constantFrom(...extremes), fc.nat(255)),
    count: fc.constantFrom(1, 1, 4, 8, 24),
  })

/** Opens damaged bytes and asks for everything: true when they opened. */
function survive(bytes: Uint8Array): boolean {
  const start = performance.now()
  let opened = false
  try {
    const source = openPages(bytesAsFile('damaged', bytes))
    opened = true
    for (const pfn of asked) {
      const page = source.page(pfn)
      if (page instanceof Uint8Array) assert.equal(page.length, 4096)
      else assert.match(page.why, /^(hole|excluded|lost|corrupt)$/)
      source.exists?.(pfn)
    }
  } catch (error) {
    if (!(error instanceof DumpError)) throw error
    assert.notEqual(error.message, '')
  }
  const took = performance.now() - start
  assert.ok(took < 1000, `${took} ms`)
  return opened
}

describe('damaged dumps', () => {
  for (const [name, seed] of seeds) {
    it(`end in a page, a reason or a DumpError when bytes are changed: ${name}`, () => {
      let opened = 0
      fc.assert(
        fc.property(fc.array(change(seed.length), { minLength: 1, maxLength: 4 }), (changes) => {
          const bytes = seed.slice()
          for (const { at, byte, count } of changes) bytes.fill(byte, at, at + count)
          if (survive(bytes)) opened++
        }),
        { numRuns: 400 },
      )
      // Else the changes would never reach what lies behind the headers.
      assert.ok(opened > 40, `${opened} opened`)
    })

    it(`end in a page, a reason or a DumpError when they are cut: ${name}`, () => {
      fc.assert(
        fc.property(place(seed.length), (length) => {
          survive(seed.subarray(0, length))
        }),
        { numRuns: 100 },
      )
    })
  }
})
