// SPDX-License-Identifier: GPL-2.0-or-later
// Page-table entries of x86-64 under Linux: what one entry is, and which frame it names.

/** The levels by number: 1 is the PTE, 5 the PGD of 5-level paging. */
export type Level = 1 | 2 | 3 | 4 | 5

/**
 * What differs from kernel to kernel in the entries of user page tables.
 * An entry is handled as two unsigned 32-bit halves, `low` and `high`: bigint is eight times slower in loops.
 */
export interface PagingRules {
  /** 4 or 5 levels (CR4.LA57). */
  readonly levels: 4 | 5
  /**
   * True when entries that are not present keep their frame number inverted. The fix for L1TF (CVE-2018-3620)
   * brought it: arch/x86/include/asm/pgtable-invert.h, in 4.19 and many stable trees.
   */
  readonly inverts: boolean
  /** The memory encryption bit (`sme_me_mask`) in the high half of an entry, 0 without SME. */
  readonly encryptionHigh: number
  /** Bit 10 is userfaultfd write protection (since 5.7). */
  readonly uffdWp: boolean
  /** Bit 58 is SAVED_DIRTY (since 6.6, arch/x86/include/asm/pgtable_types.h). */
  readonly savedDirty: boolean
}

/**
 * What an entry is.
 * - `empty`: zero, nothing was ever put here
 * - `table`: points at the next level
 * - `page`: maps a page; the processor may use it
 * - `prot-none`: maps a page, but the processor faults: mprotect(PROT_NONE), NUMA balancing, or a huge page that is
 *   being split. Linux counts it as present (pte_present, pmd_present).
 * - `swap`: not present, holds a swap entry or one of the special types that look like one
 * - `bad`: cannot occur at this level
 */
export type EntryKind = 'empty' | 'table' | 'page' | 'prot-none' | 'swap' | 'bad'

/** The processor may use the entry. */
export const PRESENT = 0x1
const HUGE = 0x80 // PSE; at the PTE level the same bit is PAT
const PROTNONE = 0x100 // the place of GLOBAL, which means nothing when PRESENT is clear

/** The bytes that one entry of a level maps: 4096 at level 1, 2 MiB at 2, 1 GiB at 3. */
export function bytesPerEntry(level: Level): number {
  return 2 ** (12 + 9 * (level - 1))
}

/** `PGD`, `P4D`, `PUD`, `PMD` or `PTE`. With four levels the top one, level 4, is the PGD. */
export function levelName(level: Level, levels: 4 | 5): string {
  if (level === levels) return 'PGD'
  return ['PTE', 'PMD', 'PUD', 'P4D', 'PGD'][level - 1] ?? ''
}

/** What an entry is: pte_present and pmd_present of arch/x86/include/asm/pgtable.h, applied at levels 1 to 3. */
export function entryKind(level: Level, low: number, high: number): EntryKind {
  if (low === 0 && high === 0) return 'empty'
  if (level > 3) return (low & PRESENT) !== 0 && (low & HUGE) === 0 ? 'table' : 'bad'
  if ((low & PRESENT) !== 0) return level === 1 || (low & HUGE) !== 0 ? 'page' : 'table'
  // pmd_present also takes PSE without PRESENT: a huge page in the middle of a split still names its frame.
  const mapped = level === 1 ? PROTNONE : PROTNONE | HUGE
  return (low & mapped) !== 0 ? 'prot-none' : 'swap'
}

/**
 * The first 4 KiB frame that an entry of kind `table`, `page` or `prot-none` names.
 * Kernels built for 46 physical bits invert bits 12 to 45 only; in such an entry bits 46 to 51 are clear, and in one
 * of 52 bits they are set, since no host has memory up there.
 */
export function entryFrame(
  level: Level,
  kind: EntryKind,
  low: number,
  high: number,
  rules: PagingRules,
): number {
  let top = high & 0xfffff
  let bottom = low
  if (kind === 'prot-none' && rules.inverts) {
    top = (~high & ((high & 0xfc000) === 0 ? 0x3fff : 0xfffff)) >>> 0
    bottom = ~low
  }
  const frame = (top & ~rules.encryptionHigh) * 0x100000 + (bottom >>> 12)
  // A table is one frame; in a large page the bits below its size are flags (bit 12 is PAT), not address.
  return kind === 'table' || level === 1 ? frame : frame - (frame % 512 ** (level - 1))
}

// Bits 0 to 11 and 57 to 63; the frame lies between. Sources: Intel SDM volume 3, table 5-20, and pgtable_types.h.
const lowNames = ['PRESENT', 'RW', 'USER', 'PWT', 'PCD', 'ACCESSED', 'DIRTY']

/** The names of the bits that are set in an entry, from bit 0 up; the protection key as `PKEY3`. */
export function entryFlags(
  level: Level,
  kind: EntryKind,
  low: number,
  high: number,
  rules: PagingRules,
): string[] {
  if (kind === 'empty') return []
  if (kind === 'swap') return swapFlags(low, rules)
  const flags = lowNames.filter((_, bit) => (low & (1 << bit)) !== 0)
  const leaf = kind === 'page' || kind === 'prot-none'
  if ((low & HUGE) !== 0) flags.push(level === 1 ? 'PAT' : 'PSE')
  if ((low & 0x100) !== 0) flags.push((low & PRESENT) !== 0 ? 'GLOBAL' : 'PROTNONE')
  if ((low & 0x200) !== 0) flags.push(leaf ? 'SPECIAL' : 'SOFT9')
  if ((low & 0x400) !== 0) flags.push(leaf && rules.uffdWp ? 'UFFD_WP' : 'SOFT10')
  if ((low & 0x800) !== 0) flags.push(leaf ? 'SOFT_DIRTY' : 'SOFT11')
  const large = leaf && level > 1
  // Where the frame is inverted, so is everything between bit 12 and bit 51.
  if (large && ((low & 0x1000) !== 0) !== (kind === 'prot-none' && rules.inverts)) flags.push('PAT')
  for (let bit = 52; bit <= 56; bit++) if (isSet(high, bit)) flags.push(`SOFT${bit}`)
  if (isSet(high, 57)) flags.push('SOFT57')
  if (isSet(high, 58)) flags.push(leaf && rules.savedDirty ? 'SAVED_DIRTY' : 'SOFT58')
  const pkey = (high >>> 27) & 0xf
  if (pkey !== 0) flags.push(`PKEY${pkey}`)
  if (isSet(high, 63)) flags.push('NX')
  return flags
}

/** The bits of a swap-type entry that are not type or offset (since 4.15, 5.7 and 5.19). */
function swapFlags(low: number, rules: PagingRules): string[] {
  const flags: string[] = []
  // Where L1TF is not fixed, the bits below can be the type; soft-dirty was in bit 7 until 4.14.
  if (!rules.inverts) return (low & 0x80) === 0 ? flags : ['SWP_SOFT_DIRTY']
  if ((low & 0x2) !== 0) flags.push('SWP_SOFT_DIRTY')
  if ((low & 0x4) !== 0) flags.push('SWP_UFFD_WP')
  if ((low & 0x8) !== 0) flags.push('SWP_EXCLUSIVE')
  return flags
}

function isSet(high: number, bit: number): boolean {
  return (high & (1 << (bit - 32))) !== 0
}
