// SPDX-License-Identifier: GPL-2.0-or-later
// Swap entries in page tables: a page on a device, or one of the special types that share their form.

import { UnsupportedError } from '../errors.ts'
import { type Host } from './host.ts'

/** What the form of swap entries is read from. */
type Evidence = Pick<Host, 'rules' | 'vmcoreinfo' | 'symbols' | 'types'>

/**
 * What an entry of a page table that is not present says.
 * - `swap`: the page is on a device
 * - `migration`: the page was being moved; `pfn` is its old frame
 * - `hwpoison`: a memory error took frame `pfn` away
 * - `device-private`, `device-exclusive`: the page belongs to a device; `pfn` is its frame in the device's zone
 * - `marker`: no page, but a note
 * - `unknown`: a type that this kernel should not have
 */
export type SwapEntry =
  | { readonly kind: 'swap'; readonly type: number; readonly offset: number }
  | {
      readonly kind: 'migration' | 'hwpoison' | 'device-private' | 'device-exclusive'
      readonly type: number
      readonly offset: number
      readonly pfn: number
    }
  | {
      readonly kind: 'marker'
      readonly type: number
      readonly offset: number
      /** `uffd-wp`, `poisoned`, `guard`. */
      readonly marks: readonly string[]
    }
  | { readonly kind: 'unknown'; readonly type: number; readonly offset: number }

/** How one kernel writes swap entries. */
export interface SwapFormat {
  /** Types below this are devices (MAX_SWAPFILES). */
  readonly maxSwapFiles: number
  /** What maxSwapFiles was read from, and how the special types above it are shared out. */
  readonly evidence: string
  /** Takes an entry apart. */
  decode(low: number, high: number): SwapEntry
  /** What an entry is, from its upper half alone: for loops, where nothing may be made. */
  kindOf(high: number): SwapEntry['kind']
}

type Special = Exclude<SwapEntry['kind'], 'swap' | 'unknown'>

/** There are five bits of type (MAX_SWAPFILES_SHIFT of include/linux/swap.h). */
const TYPES = 32

/** Finds out how the dumped kernel writes swap entries. Throws UnsupportedError for kernels before the fix of L1TF. */
export function swapFormat(host: Evidence): SwapFormat {
  if (!host.rules.inverts) {
    throw new UnsupportedError(
      `kernel ${host.vmcoreinfo.release} has no l1tf_mitigation: its swap entries have an older form, which is not read yet`,
      'swap entries before L1TF',
    )
  }
  const { max, from } = maxSwapFiles(host)
  const specials = specialTypes(host, max)
  // The frame of a special entry: SWP_PFN_BITS of include/linux/swapops.h, MAX_PHYSMEM_BITS of sparsemem.h.
  const frames = 2 ** ((host.rules.levels === 5 ? 52 : 46) - 12)
  const kinds: SwapEntry['kind'][] = []
  for (let type = 0; type < TYPES; type++) {
    kinds.push(type < max ? 'swap' : (specials[type - max] ?? 'unknown'))
  }
  // __swp_type of arch/x86/include/asm/pgtable_64.h.
  const typeOf = (high: number) => high >>> 27
  return {
    maxSwapFiles: max,
    evidence: `MAX_SWAPFILES ${max} from ${from}; above it ${specials.join(', ')}`,
    kindOf: (high) => kinds[typeOf(high)] ?? 'unknown',
    decode(low, high) {
      const type = typeOf(high)
      // __swp_offset: stored inverted, so that no entry names memory that exists.
      const offset = (~high & 0x7ffffff) * 0x800000 + (~low >>> 9)
      const kind = kinds[type] ?? 'unknown'
      if (kind === 'swap' || kind === 'unknown') return { kind, type, offset }
      if (kind === 'marker') return { kind, type, offset, marks: marksOf(offset) }
      return { kind, type, offset, pfn: offset % frames }
    },
  }
}

// PTE_MARKER_* of include/linux/swapops.h: bit 1 was SWAPIN_ERROR until 6.5.
function marksOf(offset: number): string[] {
  return ['uffd-wp', 'poisoned', 'guard'].filter(
    (_, bit) => Math.floor(offset / 2 ** bit) % 2 === 1,
  )
}

// Arrays that have an element, or eight bytes, or a pointer, for each swap file. The space up to the next symbol can be
// padded, so the smallest answer is the true one.
const perSwapFile = [
  ['swap_info', 8],
  ['zswap_trees', 8],
  ['swapper_spaces', 8],
  ['nr_zswap_trees', 4],
] as const

/** MAX_SWAPFILES, from the distance between symbols. */
export function maxSwapFiles(host: Pick<Host, 'symbols'>): { max: number; from: string } {
  let max = TYPES
  let from = 'the width of the type'
  for (const [name, size] of perSwapFile) {
    const bytes = host.symbols.size(name)
    const count = bytes === undefined ? TYPES : Math.floor(bytes / size)
    if (count > 0 && count < max) {
      max = count
      from = `the size of ${name}`
    }
  }
  return { max, from }
}

/**
 * The special types from MAX_SWAPFILES up, in the order of include/linux/swap.h. How many of each there are depends
 * on the configuration, and only their sum is known; presence of other things decides:
 * - PG_anon_exclusive came with 5.19, and with it a third kind of migration entry and PTE markers
 * - page.__folio_index came with 6.16; make_device_exclusive took the place of make_device_exclusive_range in 6.15,
 *   with one kind of device-exclusive entries instead of two
 */
function specialTypes(host: Evidence, max: number): Special[] {
  const isExclusive = host.types.enumerators('pageflags')?.has('PG_anon_exclusive') ?? false
  const migrations = isExclusive ? 3 : 2
  const rest = TYPES - max - 1 - migrations
  if (rest < 0) return ['hwpoison']
  const oneExclusive =
    host.types.struct('page')?.member('__folio_index') !== undefined ||
    host.symbols.address('make_device_exclusive') !== undefined
  const deviceForm: Special[] = oneExclusive
    ? ['device-private', 'device-private', 'device-exclusive']
    : ['device-private', 'device-private', 'device-exclusive', 'device-exclusive']
  let devices: Special[] = []
  if (!isExclusive) devices = deviceForm.slice(0, rest)
  else if (rest >= deviceForm.length) devices = deviceForm
  // What is left are markers; 6.1 had a type of its own for failed swap-in, which reads the same.
  const markers = Math.max(0, rest - devices.length)
  return [
    'hwpoison',
    ...Array<Special>(migrations).fill('migration'),
    ...devices,
    ...Array<Special>(markers).fill('marker'),
  ]
}
