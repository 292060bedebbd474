// SPDX-License-Identifier: GPL-2.0-or-later
// The page walk: one virtual address through the tables, with every entry kept.

import { PAGE_SIZE, type Missing } from '../dump/format.ts'
import {
  bytesPerEntry,
  entryFlags,
  entryFrame,
  entryKind,
  levelName,
  type EntryKind,
  type Level,
  type PagingRules,
} from './x86_64.ts'

/** What a walk reads from: frames of physical memory, or why one is not there. */
export interface Frames {
  tryPage(pfn: number): Uint8Array | Missing
  /** Says that these frames will be asked for soon. */
  ahead?(pfns: readonly number[]): void
}

/** One entry that the walk read. */
export interface WalkStep {
  /** 5 (PGD of 5-level paging) down to 1 (PTE). */
  readonly level: Level
  /** The level's name: `PGD`, `P4D`, `PUD`, `PMD`, `PTE`. */
  readonly name: string
  /** The index in the table, 0 to 511. */
  readonly index: number
  /** The host physical address of the entry. */
  readonly entryAt: number
  /** The raw 64-bit entry. */
  readonly value: bigint
  readonly kind: EntryKind
  /** The host physical address that the entry names (the next table or the page), or null. */
  readonly pointsTo: number | null
  /** The names of the bits that are set. */
  readonly flags: readonly string[]
}

/** How a walk ended. `page`: at a page. `swap`, `empty`, `bad`: at an entry. `not-in-dump`: a table is missing. */
export type WalkEnd =
  | {
      readonly kind: 'page'
      /** The host physical address that belongs to the virtual one. */
      readonly hpa: number
      /** 4096, 2 MiB or 1 GiB. */
      readonly pageSize: number
      /** True when the processor would fault on it although Linux counts it as present. */
      readonly protNone: boolean
    }
  | { readonly kind: 'swap'; readonly value: bigint; readonly pageSize: number }
  | { readonly kind: 'empty' | 'bad'; readonly pageSize: number }
  | { readonly kind: 'not-in-dump'; readonly table: number; readonly missing: Missing }
  | { readonly kind: 'non-canonical' }

/** A walk: the address, each entry from the top down, and how it ended. */
export interface PageWalk {
  readonly address: bigint
  readonly steps: readonly WalkStep[]
  readonly end: WalkEnd
}

/**
 * Walks from the table at host physical address `root`. Reads at most one table a level, so tables that point at
 * themselves cannot keep it. Never throws: a table that the dump lacks is an end like any other.
 */
export function walk(frames: Frames, rules: PagingRules, root: number, address: bigint): PageWalk {
  const steps: WalkStep[] = []
  const done = (end: WalkEnd): PageWalk => ({ address, steps, end })
  if (!isCanonical(address, rules.levels)) return done({ kind: 'non-canonical' })
  const vpn = Number(BigInt.asUintN(12 + 9 * rules.levels, address) >> 12n)
  let table = Math.floor(root / PAGE_SIZE)
  for (let level: Level = rules.levels; ; level = (level - 1) as Level) {
    const page = frames.tryPage(table)
    if (!(page instanceof Uint8Array)) {
      return done({ kind: 'not-in-dump', table: table * PAGE_SIZE, missing: page })
    }
    const index = Math.floor(vpn / 512 ** (level - 1)) % 512
    const view = new DataView(page.buffer, page.byteOffset + index * 8, 8)
    const low = view.getUint32(0, true)
    const high = view.getUint32(4, true)
    const kind = entryKind(level, low, high)
    const names = kind === 'table' || kind === 'page' || kind === 'prot-none'
    const frame = names ? entryFrame(level, kind, low, high, rules) : null
    steps.push({
      level,
      name: levelName(level, rules.levels),
      index,
      entryAt: table * PAGE_SIZE + index * 8,
      value: view.getBigUint64(0, true),
      kind,
      pointsTo: frame === null ? null : frame * PAGE_SIZE,
      flags: entryFlags(level, kind, low, high, rules),
    })
    const pageSize = bytesPerEntry(level)
    if (kind === 'swap') return done({ kind, value: view.getBigUint64(0, true), pageSize })
    if (frame === null) return done({ kind: kind === 'empty' ? kind : 'bad', pageSize })
    if (kind !== 'table') {
      const hpa = frame * PAGE_SIZE + Number(address % BigInt(pageSize))
      return done({ kind: 'page', hpa, pageSize, protNone: kind === 'prot-none' })
    }
    table = frame
  }
}

/** True when the bits above the highest translated one all equal it, as x86-64 demands. */
export function isCanonical(address: bigint, levels: 4 | 5): boolean {
  const bits = 12 + 9 * levels
  return BigInt.asUintN(64, BigInt.asIntN(bits, address)) === address
}
