// SPDX-License-Identifier: GPL-2.0-or-later
// phys_base when nothing names a page table: every frame that could be a root is tried, and their kernels vote.

import { PAGE_SIZE } from '../dump/format.ts'
import { counted } from '../progress.ts'
import { type PhysicalMemory } from '../space/physical.ts'
import { type Found } from './found.ts'
import { kernelRules, lowestImagePage } from './imagebase.ts'

/** Tables that last entries name: a host has one for all processes; random pages make up some more. */
const MAX_TABLES = 1_000_000
const LAST_ENTRY = 511 * 8

/**
 * phys_base by the last entry of every frame: all roots of a host's page tables lead to one table there, in which the
 * kernel's image is mapped. The one that most frames lead to comes first. Tables of guests are found too, since their
 * memory is the host's, but their entries name the guest's frames, which are others on the host.
 */
export function basesByVote(memory: PhysicalMemory): Found<bigint>[] {
  const { endPfn } = memory.source
  const votes = new Map<number, number>()
  for (const pfn of counted({ label: 'looking for page tables', unit: 'frames', total: endPfn })) {
    const page = memory.tryPage(pfn)
    if (!(page instanceof Uint8Array)) continue
    const view = new DataView(page.buffer, page.byteOffset + LAST_ENTRY, 8)
    const low = view.getUint32(0, true)
    // Present and not a large page.
    if ((low & 0x81) !== 1) continue
    const frame = (view.getUint32(4, true) & 0xfffff) * 0x100000 + (low >>> 12)
    // With memory encryption (AMD SME) the frame's number has a bit above all memory: such a host is not found here.
    if (frame >= endPfn) continue
    if (votes.size < MAX_TABLES || votes.has(frame)) votes.set(frame, (votes.get(frame) ?? 0) + 1)
  }
  const bases = new Map<bigint, number>()
  for (const [table, count] of votes) {
    // Below a root of four levels lies a table of the third, below one of five a table of the fourth.
    for (const level of [3, 4] as const) {
      const base = lowestImagePage(memory, kernelRules(4, 0), table * PAGE_SIZE, level)
      if (base !== undefined) bases.set(base, (bases.get(base) ?? 0) + count)
    }
  }
  return [...bases]
    .sort(([, a], [, b]) => b - a)
    .map(([value, count]) => ({
      value,
      from: `a search for page tables (${count} of them map the kernel's image so)`,
    }))
}
