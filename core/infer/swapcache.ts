// SPDX-License-Identifier: GPL-2.0-or-later
// The swap cache: a page in it says itself where on which device it belongs (page.private), so a table can be proved.

import { offsets, Refused, type Candidate } from './findings.ts'
import { type Ground } from './ground.ts'
import { type Survey } from './survey.ts'

/** A device is cut in runs of 16,384 pages, each with an address_space (SWAP_ADDRESS_SPACE_SHIFT of mm/swap.h). */
const RUN = 16384
/** SWAPFILE_CLUSTER of mm/swap.h, the words of a table: with huge pages and without (PREEMPT_RT has none). */
const CLUSTER = { huge: 512, small: 256 }
/** swp_entry_t of include/linux/swapops.h: the type is in the bits above 58 (SWP_TYPE_SHIFT, with xarrays). */
const TYPE_SHIFT = 58n
/** xa_node of include/linux/xarray.h: shift, then 64 slots behind counts, parent, array and a list. */
const XA_NODE = { shift: 0, slots: 40, size: 576 }
/** So many clusters of a device are looked at: not all have a page in the cache. */
const CLUSTERS = 128
/** So many pages are proof enough. */
const ENOUGH = 500

/** Finds the tables of the swap cache: those of 6.18 and later where there are no swapper_spaces. */
export function inferSwapCache(survey: Survey): void {
  if (survey.swaps.length === 0) throw new Refused('no swap device was found')
  const spaces = survey.ground.host.symbols.address('swapper_spaces')
  if (spaces !== undefined) inferAddressSpaces(survey, spaces)
  else inferSwapTables(survey)
}

/** Whether the page at an address of vmemmap says that it is page `offset` of a device, or lies in a folio that is. */
function isPageOf(survey: Survey, page: bigint, type: number, offset: number): boolean {
  const { ground, findings } = survey
  const own = ground.word(page + BigInt(findings.at('page.private')))
  return own === (BigInt(type) << TYPE_SHIFT) + BigInt(offset)
}

/** An address_space is not larger. */
const MOST = 0x200

/** swapper_spaces[type] is an array of address_space, told by a_ops, whose i_pages leads to pages that say the same. */
function inferAddressSpaces(survey: Survey, spaces: bigint): void {
  const { ground, findings, swaps } = survey
  const operations = ground.host.symbols.address('swap_aops')
  if (operations === undefined) throw new Refused('the kernel has no symbol swap_aops')
  const arrays = swaps.map((_, type) => {
    const at = ground.word(spaces + BigInt(8 * type)) ?? 0n
    return ground.block(at, 0x2000)
  })
  const max = findings.at('swap_info_struct.max')
  const runs = swaps.map((device) => Math.ceil((device.u32(max) ?? 0) / RUN))
  // Where swap_aops stands in each array: as often as there are runs, and equally far apart.
  const places = arrays.map((array, type) =>
    [...offsets(array.length, 8)].filter((o) => array.word(o) === operations).slice(0, runs[type]),
  )
  const sizes = places.flatMap((all) => all.slice(1).map((offset, i) => offset - (all[i] ?? 0)))
  const counts = [...new Set(sizes)].map((size) => ({
    offset: size,
    agreed: sizes.filter((one) => one === size).length,
    against: sizes.filter((one) => one !== size).length,
  }))
  const [size] = counts
  if (counts.length > 1) {
    throw new Refused(`the address_spaces of swap are ${counts.length} distances apart`)
  }
  // Devices of one run each do not tell how far apart two are, and nobody asks then.
  if (size !== undefined) findings.size('address_space', size.offset)
  const rule = {
    of: 'swapped pages in memory',
    evidence: 'the tree leads to pages whose private is their swap entry',
  }
  // xa_head stands behind a lock and flags; with PREEMPT_RT locks are of 32 bytes.
  const isRealTime = ground.host.symbols.address('rt_spin_lock') !== undefined
  const head = isRealTime ? 40 : 8
  const fits = [...offsets(size?.offset ?? MOST, 8)].map((place): Candidate => {
    let agreed = 0
    let against = 0
    arrays.forEach((array, type) => {
      const top = array.word(place)
      for (const [offset, entry] of entriesOf(ground, top, ENOUGH)) {
        if (isPageOf(survey, entry, type, offset)) agreed++
        // Part of a large folio: the head says it.
        else against++
      }
    })
    return { offset: place, agreed, against }
  })
  const tolerance = 0.1
  findings.choose(
    'address_space.i_pages',
    'struct xarray',
    fits.map((fit) => ({ ...fit, offset: fit.offset - head })),
    { ...rule, tolerance },
  )
  const { agreed = 0, against = 0 } = findings.get('address_space.i_pages') ?? {}
  const shape = (member: string, type: string, offset: number) =>
    findings.add(member, type, { offset, agreed, against }, rule)
  shape('xarray.xa_head', 'ptr', head)
  shape('xa_node.shift', 'u8', XA_NODE.shift)
  shape('xa_node.slots', 'ptr[64]', XA_NODE.slots)
  findings.size('xarray', head + 8)
  findings.size('xa_node', XA_NODE.size)
}

/** Pointers in an XArray by index, at most `limit`; none when it does not read as one. */
function entriesOf(ground: Ground, top: bigint | undefined, limit: number): [number, bigint][] {
  const found: [number, bigint][] = []
  const go = (entry: bigint | undefined, index: number, above: number): void => {
    if (entry === undefined || found.length >= limit || (entry & 1n) === 1n) return
    if ((entry & 3n) === 0n) {
      if (ground.isPointer(entry)) found.push([index, entry])
      return
    }
    if (!ground.isPointer(entry)) return
    const node = ground.block(entry - 2n, XA_NODE.size)
    const shift = (node.u16(XA_NODE.shift) ?? 0xff) & 0xff
    if (shift >= above || shift % 6 !== 0) return
    for (let i = 0; i < 64; i++) {
      go(node.word(XA_NODE.slots + 8 * i), index + i * 2 ** shift, shift)
    }
  }
  // Only a node can be proved: the entry of index 0 alone is a bare pointer, like any other.
  if (ground.isPointer(top) && (top & 3n) === 2n) go(top, 0, 64)
  return found
}

/**
 * Swap tables, since 6.18: swap_info_struct.cluster_info is an array of clusters, and each has a table of words. Bits
 * 10 at the end mark a frame, whose page says the place; in 6.18 and 6.19 the word is the page's address.
 */
function inferSwapTables(survey: Survey): void {
  const { ground, findings, swaps } = survey
  const size = ground.host.vmcoreinfo.size('page') ?? 64
  const { vmemmap } = ground.host.bases
  const hasHugePages = ground.host.symbols.address('huge_zero_pfn') !== undefined
  const length = hasHugePages ? CLUSTER.huge : CLUSTER.small
  const forms: { clusters: number; stride: number; table: number; fit: Candidate }[] = []
  for (const clusters of offsets(0x280, 8)) {
    const arrays = swaps.map((device) => device.word(clusters))
    // Lists of clusters point into the same array, at a node that points back.
    const isArray = (at: bigint | undefined) =>
      ground.isPointer(at) &&
      !ground.isStatic(at) &&
      ground.word((ground.word(at) ?? 0n) + 8n) !== at
    if (!arrays.every(isArray)) continue
    for (let stride = 24; stride <= 128; stride += 8) {
      for (const table of offsets(stride, 8)) {
        let agreed = 0
        let against = 0
        arrays.forEach((at, type) => {
          for (let i = 0; i < CLUSTERS && against < 20; i++) {
            const words = ground.word((at ?? 0n) + BigInt(i * stride + table))
            if (!ground.isPointer(words) || (words & BigInt(8 * length - 1)) !== 0n) continue
            const block = ground.block(words, 8 * length)
            for (let j = 0; j < length && against < 20; j++) {
              const word = block.word(8 * j) ?? 0n
              if (word === 0n || (word & 1n) === 1n || (word & 3n) === 0n) continue
              const page = vmemmap + (BigInt.asUintN(59, word) >> 2n) * BigInt(size)
              if (isPageOf(survey, page, type, i * length + j)) agreed++
              else against++
            }
          }
        })
        if (agreed > 0) forms.push({ clusters, stride, table, fit: { offset: 0, agreed, against } })
      }
    }
  }
  const most = Math.max(0, ...forms.map(({ fit }) => fit.agreed))
  const rule = {
    of: 'swapped pages in memory',
    evidence: 'the table of its cluster has the frame whose page.private is the swap entry',
    tolerance: 0.1,
    // A wrong form can explain the first cluster, the right one explains all.
    atLeast: Math.floor(most / 2) + 1,
  }
  const by = (pick: (form: (typeof forms)[number]) => number) =>
    forms.map((form) => ({ ...form.fit, offset: pick(form) }))
  findings.choose(
    'swap_info_struct.cluster_info',
    'ptr',
    by((form) => form.clusters),
    rule,
  )
  findings.choose(
    'swap_cluster_info.table',
    'ptr',
    by(({ table }) => table),
    rule,
  )
  const best = [...forms].sort((a, b) => b.fit.agreed - a.fit.agreed)[0]
  if (best === undefined) return
  findings.size('swap_cluster_info', best.stride)
  const { agreed, against } = best.fit
  const entries = `u64[${length}]`
  findings.add('swap_table.entries', entries, { offset: 0, agreed, against }, rule)
}
