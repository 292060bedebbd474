// SPDX-License-Identifier: GPL-2.0-or-later
// Swap entries in page tables: a page on a device, or one of the special types that share their form.

import { DumpError } from '../../errors.ts'
import { type Host } from '../host.ts'
import { chooseForm, type FormEvidence, inverted, type SwapForm } from './swapform.ts'

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
 * - `untold`: in which form this kernel writes entries cannot be told, only that this is one; `problem` says why
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
  /** `nonlinear`: page `offset` of the mapped file (remap_file_pages, until 3.19). */
  | { readonly kind: 'unknown' | 'nonlinear'; readonly type: number; readonly offset: number }
  | { readonly kind: 'untold'; readonly problem: string }

/** How one kernel writes swap entries. */
export interface SwapFormat {
  /** Types below this are devices (MAX_SWAPFILES). */
  readonly maxSwapFiles: number
  /** What maxSwapFiles was read from, how the special types above it are shared out, and where type and offset stand. */
  readonly evidence: string
  /** What a special type rests on: `type 27, with room for 27 swap devices by the size of swap_info and then 1 hwpoison, 3 migration, 1 marker`. */
  reasonFor(type: number): string
  /** Takes an entry apart. */
  decode(low: number, high: number): SwapEntry
  /** What an entry is: for loops, where nothing may be made. */
  kindOf(low: number, high: number): SwapEntry['kind']
}

type Special = Exclude<SwapEntry['kind'], 'swap' | 'unknown' | 'nonlinear' | 'untold'>

/** There are five bits of type (MAX_SWAPFILES_SHIFT of include/linux/swap.h). */
const TYPES = 32

/**
 * Finds out how the dumped kernel writes swap entries. In kernels before the fix of L1TF `evidence` is asked, with the
 * number of types for devices, once, when the first entry is decoded; when it does not tell the form, all entries are
 * `untold`.
 */
export function swapFormat(
  host: Evidence,
  evidence?: (maxSwapFiles: number) => FormEvidence,
): SwapFormat {
  const { max, from } = maxSwapFiles(host)
  const specials = specialTypes(host, max)
  // The frame of a special entry: SWP_PFN_BITS of include/linux/swapops.h, MAX_PHYSMEM_BITS of sparsemem.h.
  const frames = 2 ** ((host.rules.levels === 5 ? 52 : 46) - 12)
  const kinds: Exclude<SwapEntry['kind'], 'untold'>[] = []
  for (let type = 0; type < TYPES; type++) {
    kinds.push(type < max ? 'swap' : (specials[type - max] ?? 'unknown'))
  }
  let chosen: { form: SwapForm; from: string } | undefined
  let problem: string | undefined
  if (host.rules.inverts) chosen = { form: inverted, from: 'l1tf_mitigation' }
  else if (evidence === undefined) {
    problem = `kernel ${host.vmcoreinfo.release} has no l1tf_mitigation: its swap entries have an older form, which only entries can tell`
  }
  const formOf = (): SwapForm | undefined => {
    if (chosen !== undefined || problem !== undefined || evidence === undefined) return chosen?.form
    try {
      chosen = chooseForm(evidence(max))
    } catch (error) {
      // A page is there or not whether or not its entry can be read: that is said of the page, and the work goes on.
      if (!(error instanceof DumpError)) throw error
      problem = error.message
    }
    return chosen?.form
  }
  return {
    maxSwapFiles: max,
    get evidence() {
      const where = chosen === undefined ? '' : `; ${chosen.form.name} (${chosen.from})`
      return `MAX_SWAPFILES ${max} from ${from}; above it ${specials.join(', ')}${where}`
    },
    reasonFor: (type) =>
      `type ${type}, with room for ${max} swap devices by ${from} and then ${counted(specials)}`,
    kindOf(low, high) {
      const form = formOf()
      if (form === undefined) return 'untold'
      return form.isNonlinear(low) ? 'nonlinear' : (kinds[form.type(low, high)] ?? 'unknown')
    },
    decode(low, high) {
      const form = formOf()
      if (form === undefined) return { kind: 'untold', problem: problem ?? '' }
      if (form.isNonlinear(low)) {
        // pte_to_pgoff: in the place of the frame.
        return { kind: 'nonlinear', type: 0, offset: (high & 0xfffff) * 0x100000 + (low >>> 12) }
      }
      const type = form.type(low, high)
      const offset = form.offset(low, high)
      const kind = kinds[type] ?? 'unknown'
      if (kind === 'swap' || kind === 'unknown' || kind === 'nonlinear') {
        return { kind, type, offset }
      }
      if (kind === 'marker') return { kind, type, offset, marks: marksOf(offset) }
      return { kind, type, offset, pfn: offset % frames }
    },
  }
}

/** `1 hwpoison, 3 migration, 1 marker`. */
function counted(specials: readonly Special[]): string {
  const counts = new Map<Special, number>()
  for (const kind of specials) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ')
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

/** Pointers for 32 devices and some padding; 23 structs are ten times as large. */
const MOST_POINTERS = 2 * 8 * TYPES

/** True when swap_info is an array of structs, as in 2.6.32; later it is one of pointers. */
export function holdsStructs({ symbols }: Pick<Evidence, 'symbols'>): boolean {
  return (symbols.size('swap_info') ?? 0) > MOST_POINTERS
}

// While types are still looked for, a struct counts as a byte: what has so many is not taken for the number of devices.
function structSize({ types }: Partial<Pick<Evidence, 'types'>>): number {
  return Math.max(1, types?.sizeOf('swap_info_struct') ?? 1)
}

/** MAX_SWAPFILES, from the distance between symbols. */
export function maxSwapFiles(host: Pick<Evidence, 'symbols'> & Partial<Pick<Evidence, 'types'>>): {
  max: number
  from: string
} {
  let max = TYPES
  let from = 'the width of the type'
  for (const [name, size] of perSwapFile) {
    const bytes = host.symbols.size(name)
    const element = name === 'swap_info' && holdsStructs(host) ? structSize(host) : size
    const count = bytes === undefined ? TYPES : Math.floor(bytes / element)
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
