// SPDX-License-Identifier: GPL-2.0-or-later
// The swap cache: pages that were swapped out, but whose memory has not been taken yet.

import { hex } from '../../bytes/hex.ts'
import { CorruptError, MissingError } from '../../errors.ts'
import { arrayLength, layout, pointer } from '../../types/layout.ts'
import { type Host } from '../host.ts'
import { type Pages } from '../page.ts'
import { swapSpaces } from './swapspaces.ts'

/** Looks for the frame of a swapped page. */
export interface SwapCache {
  /** The frame that still holds page `offset` of a device, or undefined. `info` is its swap_info_struct. */
  find(info: bigint, type: number, offset: number): number | undefined
  /** True when the swap table itself says that page `offset` is all zeros, and that nothing was written to the device. */
  saysZeros(info: bigint, offset: number): boolean
}

/** The form of the swap cache in the dumped kernel. Newest first; told by presence. */
export function swapCache(host: Host, pages: Pages): SwapCache {
  const table = host.types.struct('swap_cluster_info')?.member('table')
  return table === undefined ? addressSpaces(host, pages) : swapTables(host, pages)
}

/** SWAPFILE_CLUSTER of mm/swap.h with huge pages; without them (PREEMPT_RT has none) 256. A table has so many entries. */
const CLUSTER = 512
/** A word without the five flags at its top. */
const UPPER_FLAGS = 64 - 5
/** SWP_TB_ZERO_FLAG, the lowest of them; the other four are a count. */
const ZERO_FLAG = 1n << BigInt(UPPER_FLAGS)

/**
 * Swap tables, since 6.18 (mm/swap_table.h): one word for each page of a device. Bit 0 set: only a shadow is left.
 * In 6.18 and 6.19 the word of a cached page is the address of its folio; later the low bits `10` mark a frame number
 * above two bits, with flags in the upper five.
 */
function swapTables(host: Host, pages: Pages): SwapCache {
  const { space, types } = host
  const info = layout(types, 'swap_info_struct', { clusters: pointer('cluster_info') })
  const cluster = layout(types, 'swap_cluster_info', { table: pointer('table') })
  const length = arrayLength(types, 'swap_table', 'entries') ?? CLUSTER
  // The flag took the place of a bitmap of each device.
  const hasZeroFlag = types.struct('swap_info_struct')?.member('zeromap') === undefined
  const wordOf = (infoAddress: bigint, offset: number): bigint => {
    const { clusters } = info.at(space, infoAddress)
    if (clusters === 0n) return 0n
    const at = clusters + BigInt(Math.floor(offset / length) * cluster.size)
    const { table } = cluster.at(space, at)
    return table === 0n ? 0n : space.u64(table + BigInt((offset % length) * 8))
  }
  return {
    saysZeros(infoAddress, offset) {
      const word = wordOf(infoAddress, offset)
      // Only words of pages in use have flags: shadows (bit 0) and frames (bit 1).
      return hasZeroFlag && (word & 3n) !== 0n && (word & ZERO_FLAG) !== 0n
    },
    find(infoAddress, _type, offset) {
      const word = wordOf(infoAddress, offset)
      if (word === 0n || (word & 1n) === 1n) return undefined
      if ((word & 3n) === 2n) {
        const pfn = Number(BigInt.asUintN(UPPER_FLAGS, word) >> 2n)
        return pages.ifFrame(pfn) ?? noFrame(word, offset)
      }
      return (word & 7n) === 0n ? cachedFrame(pages, word, offset) : undefined
    },
  }
}

/** Address spaces, until 6.17: a tree with pages by offset. */
function addressSpaces(host: Host, pages: Pages): SwapCache {
  const entryOf = swapSpaces(host)
  if (entryOf === undefined) {
    // A kernel with swap tables, whose types are not known so far. Said for each page, so nothing is searched for here.
    const member = 'swap_cluster_info.table'
    const where = host.types.whyMissing?.(member) ?? host.types.name
    const refuse = () => {
      throw new MissingError('member', member, where)
    }
    return { saysZeros: refuse, find: refuse }
  }
  return {
    saysZeros: () => false,
    find(_info, type, offset) {
      const entry = entryOf(type, offset)
      // A value is the shadow of a page that is gone.
      return entry === 0n || (entry & 1n) === 1n ? undefined : cachedFrame(pages, entry, offset)
    },
  }
}

/**
 * The frame of page `offset` of a device in the folio whose head page is at `head`. A large folio lies at a multiple
 * of its size in the device too.
 */
function cachedFrame(pages: Pages, head: bigint, offset: number): number {
  const first = pages.frameAt(head)
  if (first === undefined) return noFrame(head, offset)
  return pages.ifFrame(first + (offset % 2 ** pages.order(head))) ?? noFrame(head, offset)
}

/** Damage, which must not read as a page that is on its device alone. */
function noFrame(entry: bigint, offset: number): never {
  const problem = `has ${hex(entry)} for page ${offset} of a device, which leads to no frame of this host`
  throw new CorruptError('the swap cache', entry, problem)
}
