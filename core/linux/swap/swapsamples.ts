// SPDX-License-Identifier: GPL-2.0-or-later
// Swap entries out of page tables, to tell the form that a kernel gives them.

import { PAGE_SIZE } from '../../dump/format.ts'
import { ifThere } from '../../errors.ts'
import { scan } from '../../paging/scan.ts'
import { address, layout, pointer } from '../../types/layout.ts'
import { type Host } from '../host.ts'
import { knownNodes } from '../list.ts'

/** Entries enough to tell, and processes enough to find them in. */
const MOST = 4096
const MOST_PROCESSES = 64

/**
 * Up to 4096 entries that are neither empty nor present, as halves. The processes are those on init_mm.mmlist, where
 * the kernel keeps every mm that it has swapped something out of (mm/rmap.c, try_to_unmap_one).
 */
export function swapSamples(host: Host): [low: number, high: number][] {
  const samples: [number, number][] = []
  const { space, memory, rules } = host
  const mm = layout(host.types, 'mm_struct', { list: address('mmlist'), top: pointer('pgd') })
  const offset = BigInt(mm.offset('list'))
  const head = host.symbol('init_mm') + offset
  // User addresses are the lower half.
  const pages = 2 ** (9 * rules.levels - 1)
  let count = 0
  ifThere(() => {
    for (const node of knownNodes(space, head, 'mm_struct.mmlist')) {
      if (samples.length >= MOST || ++count > MOST_PROCESSES) return
      ifThere(() => {
        const root = space.physical(mm.at(space, node - offset).top)
        scan(memory, rules, root - (root % PAGE_SIZE), 0, pages, (_vpn, _count, kind, ...entry) => {
          const [level, , low, high] = entry
          if (kind === 'swap' && level === 1 && samples.length < MOST) samples.push([low, high])
        })
      })
    }
  })
  return samples
}
