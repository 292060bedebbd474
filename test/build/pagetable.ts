// SPDX-License-Identifier: GPL-2.0-or-later
// Writes x86-64 page tables, and the entries that Linux puts into them.

import { type PagingRules } from '../../core/paging/x86_64.ts'
import { type BuiltMemory } from './memory.ts'

/** How a kernel of today writes its entries, on a host with four levels and without memory encryption. */
export const rulesOfToday: PagingRules = {
  levels: 4,
  inverts: true,
  encryptionHigh: 0,
  uffdWp: true,
  savedDirty: true,
}

/** What a table can be put at: gives the host physical address of a page of zeros. */
type NewPage = () => number

/** Page tables with their top table, grown as entries are set. */
export class PageTables {
  /** The host physical address of the top table. */
  readonly root: number
  readonly #memory: BuiltMemory
  readonly #levels: 4 | 5
  readonly #newPage: NewPage
  readonly #tables = new Map<string, number>()

  constructor(memory: BuiltMemory, levels: 4 | 5, newPage: NewPage) {
    this.#memory = memory
    this.#levels = levels
    this.#newPage = newPage
    this.root = newPage()
  }

  /** Writes the entry of a level (1 is the PTE) for an address, and the tables above it. */
  set(address: bigint, level: number, entry: bigint): void {
    this.#memory.u64(this.entryAt(address, level), entry)
  }

  /** The host physical address of an entry; the tables above it are made when they are not there. */
  entryAt(address: bigint, level: number): number {
    const index = Number((address >> BigInt(12 + 9 * (level - 1))) & 511n)
    return this.tableAt(address, level) + index * 8
  }

  /** The host physical address of the table of a level that an address goes through. */
  tableAt(address: bigint, level: number): number {
    if (level === this.#levels) return this.root
    const place = `${level} ${BigInt.asUintN(57, address) >> BigInt(12 + 9 * level)}`
    let table = this.#tables.get(place)
    if (table === undefined) {
      table = this.#newPage()
      this.#tables.set(place, table)
      this.set(address, level + 1, BigInt(table) | TABLE)
    }
    return table
  }
}

// Bits of an entry: arch/x86/include/asm/pgtable_types.h.
const PRESENT = 0x1n
const PSE = 0x80n
const PROTNONE = 0x100n
/** PRESENT, RW, USER, ACCESSED, DIRTY. */
export const TABLE = 0x67n
const LEAF = TABLE | (1n << 63n)
const FRAME = 0x000ffffffffff000n

/** A page of 4 KiB (level 1), 2 MiB or 1 GiB that the processor may use. */
export function page(hpa: number, level = 1): bigint {
  return BigInt(hpa) | LEAF | (level > 1 ? PSE : 0n)
}

/** The same after NUMA balancing or mprotect(PROT_NONE): not present, the frame inverted (pte_modify, flip_protnone_guard). */
export function protNone(hpa: number, level = 1): bigint {
  const flags = (LEAF & ~PRESENT & ~2n) | PROTNONE | (level > 1 ? PSE : 0n)
  // What is inverted are the bits from the frame's first up; PAT of a large page lies below them and turns too.
  return flags | (~BigInt(hpa) & FRAME)
}

/** A swap entry: `__swp_entry` of arch/x86/include/asm/pgtable_64.h since the fix of L1TF. */
export function swapEntry(type: number, offset: number): bigint {
  return (BigInt(type) << 59n) | (BigInt.asUintN(64, ~BigInt(offset) << 14n) >> 5n)
}
