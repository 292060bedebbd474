// SPDX-License-Identifier: GPL-2.0-or-later
// Bytes of guest memory that are alike, counted: by state, page size, kind, node, and whether the dump has them.

import { PAGE_SIZE } from '../dump/format.ts'
import { type FrameKind, frameKinds } from '../linux/frametable.ts'
import { type TranslationState } from './gpastate.ts'

/** Bytes that are alike in everything that is counted. */
export interface Share {
  readonly state: TranslationState
  /** The size of the mapping in bytes for `mapped`, else null. */
  readonly pageSize: number | null
  /** True when the processor would fault on it although Linux counts it as present, as NUMA balancing sets it. */
  readonly protNone: boolean
  /** What the frames are used for; null where nothing is mapped, or when struct page was not to be read. */
  readonly kind: FrameKind | null
  /** The NUMA node of the frames; null where there is none, or nobody can tell. */
  readonly node: number | null
  /** Whether the dump has the content of the frames; null where there is none. */
  readonly inDump: boolean | null
  readonly bytes: number
}

/** What bytes can be grouped by. */
export type ShareKey = 'state' | 'pageSize' | 'protNone' | 'kind' | 'node' | 'inDump'

/** Bytes that are alike in some ways: a member is there when it was grouped by. */
export type ShareGroup = Partial<Omit<Share, 'bytes'>> & { readonly bytes: number }

/** The names of the keys that there are. */
export const shareKeys: readonly ShareKey[] = Object.freeze([
  ...(['state', 'pageSize', 'protNone', 'kind', 'node', 'inDump'] as const),
])

/** The states in the order of their codes; the first three are `mapped` by 4 KiB, 2 MiB and 1 GiB. */
export const countedStates: readonly TranslationState[] = Object.freeze([
  ...(['mapped', 'mapped', 'mapped', 'swapped', 'migrating', 'poisoned', 'marker'] as const),
  ...(['device-private', 'unmapped', 'not-in-dump'] as const),
])

/** The code of a state that is not `mapped`. */
export function countedState(state: Exclude<TranslationState, 'mapped' | 'no-slot'>): number {
  return countedStates.indexOf(state)
}

/** The sizes of mappings by the codes of `mapped`. */
export const pageSizes: readonly number[] = Object.freeze([PAGE_SIZE, 2 ** 21, 2 ** 30])

/** Bits of a key: 0 to 3 state, 4 PROT_NONE, 5 to 8 kind + 1, 9 and 10 in the dump (0 no frame, 1 no, 2 yes), then node + 1. */
const PROT_NONE = 1 << 4
const KIND_SHIFT = 5
const SAVED_SHIFT = 9
const NODE_SHIFT = 11

/** The key of pages without a frame, in the state of a code. */
export function keyOf(
  code: number,
  protNone = false,
  kind = -1,
  isSaved: boolean | null = null,
  node = -1,
): number {
  const saved = isSaved === null ? 0 : isSaved ? 2 : 1
  const flags = code | (protNone ? PROT_NONE : 0) | ((kind + 1) << KIND_SHIFT)
  return flags | (saved << SAVED_SHIFT) | ((node + 1) << NODE_SHIFT)
}

/** Pages by key. Neighbours are mostly alike: only the end of a run goes into the map. */
export class Tally {
  readonly #pages = new Map<number, number>()
  #key = 0
  #run = 0

  /** Counts pages of one key. */
  add(key: number, pages: number): void {
    if (key !== this.#key) {
      this.#flush()
      this.#key = key
    }
    this.#run += pages
  }

  /** Adds all that another one counted. */
  addAll(other: Tally): void {
    other.#flush()
    for (const [key, pages] of other.#pages) this.add(key, pages)
  }

  /** What was counted, in the order of states, sizes and nodes. */
  shares(): Share[] {
    this.#flush()
    const keys = [...this.#pages].sort(
      ([a], [b]) => (a & 15) - (b & 15) || (a >>> NODE_SHIFT) - (b >>> NODE_SHIFT) || a - b,
    )
    return keys.map(([key, pages]) => Object.freeze(shareOf(key, pages * PAGE_SIZE)))
  }

  #flush(): void {
    if (this.#run > 0) this.#pages.set(this.#key, (this.#pages.get(this.#key) ?? 0) + this.#run)
    this.#run = 0
  }
}

function shareOf(key: number, bytes: number): Share {
  const saved = (key >>> SAVED_SHIFT) & 3
  const node = (key >>> NODE_SHIFT) - 1
  return {
    state: countedStates[key & 15] ?? 'unmapped',
    pageSize: pageSizes[key & 15] ?? null,
    protNone: (key & PROT_NONE) !== 0,
    kind: frameKinds[((key >>> KIND_SHIFT) & 15) - 1] ?? null,
    node: node < 0 ? null : node,
    inDump: saved === 0 ? null : saved === 2,
    bytes,
  }
}

/** Sums shares that are alike in the keys, most bytes first. */
export function groupShares(shares: readonly Share[], keys: readonly ShareKey[]): ShareGroup[] {
  const groups = new Map<string, { group: ShareGroup; bytes: number }>()
  for (const share of shares) {
    const group = Object.fromEntries(keys.map((key) => [key, share[key]])) as ShareGroup
    const name = JSON.stringify(group)
    const known = groups.get(name)
    if (known === undefined) groups.set(name, { group, bytes: share.bytes })
    else known.bytes += share.bytes
  }
  return [...groups.values()]
    .sort((a, b) => b.bytes - a.bytes)
    .map(({ group, bytes }) => ({ ...group, bytes }))
}
