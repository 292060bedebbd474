// SPDX-License-Identifier: GPL-2.0-or-later
// The swap cache in address spaces, until 6.17: which of them has a page, and by which number.

import { address, layout } from '../../types/layout.ts'
import { type Host } from '../host.ts'
import { RadixTrees } from '../radixtree.ts'
import { treesOf } from '../tree.ts'
import { entryValues } from './entryvalue.ts'

/** What the swap cache has for page `offset` of a device: 0n for nothing, else an entry of its tree. */
type EntryOf = (type: number, offset: number) => bigint

/** A device is cut in runs of 16,384 pages (SWAP_ADDRESS_SPACE_SHIFT of mm/swap.h), each with an address_space. */
const RUN = 16384
/** Pointers for 32 devices and some padding; that many structs are ten times as large. */
const MOST_POINTERS = 512

/**
 * Where this kernel's address spaces of swap have a page; undefined when it has none of them. Throws MissingError when the
 * types lack their trees.
 */
export function swapSpaces(host: Host): EntryOf | undefined {
  const { symbols } = host
  const spaces = symbols.address('swapper_spaces')
  if (spaces === undefined) {
    const single = symbols.address('swapper_space')
    return single === undefined ? undefined : inOne(host, single)
  }
  const holdsPointers =
    symbols.address('nr_swapper_spaces') !== undefined ||
    (symbols.size('swapper_spaces') ?? 0) <= MOST_POINTERS
  return holdsPointers ? inRuns(host, spaces) : byType(host, spaces)
}

/** Since 4.11: swapper_spaces[type][offset >> 14], by offset. */
function inRuns(host: Host, spaces: bigint): EntryOf {
  const { space } = host
  const mapping = mappingOf(host)
  const trees = treesOf(space, host.types)
  return (type, offset) => {
    const runs = space.u64(spaces + BigInt(type * 8))
    if (runs === 0n) return 0n
    const run = offset < RUN ? runs : runs + BigInt(Math.floor(offset / RUN) * mapping.size)
    return trees.load(mapping.at(space, run).pages, offset)
  }
}

/**
 * 3.9 to 4.10: swapper_spaces[type], by the entry's value, since 4.9 by offset (commit f6ab1f7f6b2d). No offset is as
 * large as a value of a type above 0, so a page found by either is the one.
 */
function byType(host: Host, spaces: bigint): EntryOf {
  const { space } = host
  const mapping = mappingOf(host)
  const trees = new RadixTrees(space, host.types)
  const values = entryValues(host)
  return (type, offset) => {
    const { pages } = mapping.at(space, spaces + BigInt(type * mapping.size))
    for (const index of new Set([BigInt(offset), ...values.of(type, offset)])) {
      const entry = trees.load(pages, index)
      if (entry !== 0n) return entry
    }
    return 0n
  }
}

/** Until 3.8: one swapper_space for all devices, by the entry's value. */
function inOne(host: Host, single: bigint): EntryOf {
  const { space } = host
  const mapping = mappingOf(host)
  const trees = new RadixTrees(space, host.types)
  const values = entryValues(host)
  return (type, offset) => {
    const { pages } = mapping.at(space, single)
    for (const value of values.of(type, offset)) {
      const entry = trees.load(pages, value)
      if (entry === 0n) continue
      // The word can be another device's in the other reading.
      if (values.read(value).type === type) return entry
    }
    return 0n
  }
}

function mappingOf({ types }: Host) {
  // Renamed in 4.17, when the tree was still a radix tree.
  return layout(types, 'address_space', { pages: address('i_pages', 'page_tree') })
}
