// SPDX-License-Identifier: GPL-2.0-or-later
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { swapFormat, type SwapEntry } from '../../../../core/linux/swap/swapentry.ts'
import { type PagingRules } from '../../../../core/paging/x86_64.ts'
import { parseVmcoreinfo } from '../../../../core/vmcoreinfo/parse.ts'
import { builtTypes } from '../../../build/types.ts'

/** Sizes of the arrays that tell MAX_SWAPFILES, and the members that tell an era. */
interface Kernel {
  readonly name: string
  readonly sizes: Readonly<Record<string, number>>
  readonly types: string
  readonly levels?: 4 | 5
}

function formatOf({ sizes, types, levels = 4 }: Kernel) {
  const rules: PagingRules = {
    levels,
    inverts: true,
    encryptionHigh: 0,
    uffdWp: true,
    savedDirty: true,
  }
  const nothing = { addresses: () => [], find: () => new Map(), near: () => [], names: () => [] }
  return swapFormat({
    rules,
    vmcoreinfo: parseVmcoreinfo('OSRELEASE=of a test\n'),
    types: builtTypes(types),
    symbols: {
      ...nothing,
      address: () => undefined,
      nearest: () => undefined,
      size: (name) => sizes[name],
    },
  })
}

const before519 = 'enum pageflags\n PG_locked 0\nstruct page 64\n 0x20 index u64'
const since519 = 'enum pageflags\n PG_anon_exclusive 16\nstruct page 64\n 0x20 index u64'
const since616 = 'enum pageflags\n PG_anon_exclusive 16\nstruct page 64\n 0x20 __folio_index u64'

// The sizes are those of Debian's kernels; what the types mean follows from include/linux/swap.h of each release.
const rows: (Kernel & { readonly max: number; readonly kinds: readonly SwapEntry['kind'][] })[] = [
  {
    name: '5.10',
    sizes: { swap_info: 232 },
    types: before519,
    max: 29,
    kinds: ['hwpoison', 'migration', 'migration'],
  },
  {
    name: '6.1',
    sizes: { swap_info: 208 },
    types: since519,
    max: 26,
    kinds: ['hwpoison', 'migration', 'migration', 'migration', 'marker', 'marker'],
  },
  {
    name: '6.12, where one array is padded',
    sizes: { swap_info: 216, nr_zswap_trees: 128 },
    types: since519,
    max: 27,
    kinds: ['hwpoison', 'migration', 'migration', 'migration', 'marker'],
  },
  {
    name: '6.12 with device memory',
    sizes: { swap_info: 184 },
    types: since519,
    max: 23,
    kinds: [
      'hwpoison',
      'migration',
      'migration',
      'migration',
      'device-private',
      'device-private',
      'device-exclusive',
      'device-exclusive',
      'marker',
    ],
  },
  {
    name: '7.3',
    sizes: { swap_info: 192 },
    types: since616,
    max: 24,
    kinds: [
      'hwpoison',
      'migration',
      'migration',
      'migration',
      'device-private',
      'device-private',
      'device-exclusive',
      'marker',
    ],
  },
]

/** swp_entry_to_pte of arch/x86/include/asm/pgtable_64.h: type at bit 59, the offset inverted from bit 9. */
function entryOf(type: number, offset: bigint): [number, number] {
  const raw = (BigInt(type) << 59n) | BigInt.asUintN(59, (~offset << 9n) & ~0x1ffn)
  return [Number(raw & 0xffffffffn), Number(raw >> 32n)]
}

for (const row of rows) {
  describe(`swap entries of ${row.name}`, () => {
    const format = formatOf(row)

    it(`have ${row.max} types for devices`, () => {
      assert.equal(format.maxSwapFiles, row.max)
    })

    it('have special types above, in the order of the kernel', () => {
      const kinds = row.kinds.map((_, i) => format.decode(...entryOf(row.max + i, 0x1234n)).kind)
      assert.deepEqual(kinds, row.kinds)
      assert.equal(row.max + kinds.length, 32)
    })

    it('are told alike in loops', () => {
      for (let type = 0; type < 32; type++) {
        const [low, high] = entryOf(type, 0x1234n)
        assert.equal(format.kindOf(low, high), format.decode(low, high).kind)
      }
    })
  })
}

describe('a swap entry', () => {
  const kernel: Kernel = rows[2] ?? assert.fail()
  const halves = (raw: bigint): [number, number] => [Number(raw & 0xffffffffn), Number(raw >> 32n)]

  // Worked out by hand from the macros of pgtable_64.h.
  const vectors: [bigint, number, number][] = [
    [0x07fffffffffffc00n, 0, 0x1],
    [0x1fffffffffdb9600n, 3, 0x1234],
    [0xcffff80000000000n, 25, 0x3ffffffff],
  ]
  for (const [raw, type, offset] of vectors) {
    it(`0x${raw.toString(16)} is type ${type}, offset 0x${offset.toString(16)}`, () => {
      assert.deepEqual(formatOf(kernel).decode(...halves(raw)), { kind: 'swap', type, offset })
    })
  }

  it('of a poisoned page names its frame', () => {
    const entry = formatOf(kernel).decode(...entryOf(27, 0xd238n))
    assert.deepEqual(entry, { kind: 'hwpoison', type: 27, offset: 0xd238, pfn: 0xd238 })
  })

  it('of a page under migration names its frame without the flags above it', () => {
    // Young and dirty bits lie above the 34 bits of a frame (SWP_MIG_YOUNG_BIT of include/linux/swapops.h).
    const entry = formatOf(kernel).decode(...entryOf(28, (3n << 34n) | 0x148a96n))
    assert.equal(entry.kind === 'migration' && entry.pfn, 0x148a96)
  })

  it('of a page under migration has 40 bits of frame with five levels', () => {
    const entry = formatOf({ ...kernel, levels: 5 }).decode(
      ...entryOf(28, (1n << 40n) | (1n << 39n)),
    )
    assert.equal(entry.kind === 'migration' && entry.pfn, 2 ** 39)
  })

  for (const [offset, marks] of [
    [1n, ['uffd-wp']],
    [2n, ['poisoned']],
    [4n, ['guard']],
    [3n, ['uffd-wp', 'poisoned']],
    [0n, []],
  ] as const) {
    it(`of marker ${offset} says ${marks.join(' and ') || 'nothing'}`, () => {
      const entry = formatOf(kernel).decode(...entryOf(31, offset))
      assert.deepEqual(entry.kind === 'marker' && entry.marks, marks)
    })
  }
})
