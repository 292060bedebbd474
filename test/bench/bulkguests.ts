// SPDX-License-Identifier: GPL-2.0-or-later
// Guests of any size that exist only as a mapping: no dump, no page tables, frames by a rule.

import { type MappedSlot, Mapping, type PageReader } from '../../core/bulk/mapping.ts'
import { fillAlike, withFrame, withoutFrame } from '../../core/bulk/region.ts'
import { NO_SLOT, UNMAPPED } from '../../core/bulk/states.ts'

/** How a simulated guest is mapped. */
export interface Simulated {
  readonly name: string
  readonly slots: readonly MappedSlot[]
  /** 0 for pages of 4 KiB at scattered frames, 1 for 2 MiB, 2 for 1 GiB. */
  readonly size: 0 | 1 | 2
}

const PAGES_A_GIB = 2 ** 18

/** A guest of so many GiB, in slots of equal size with a hole below 4 GiB, as PC guests have. */
export function simulated(
  name: string,
  gib: number,
  slotCount: number,
  size: 0 | 1 | 2,
): Simulated {
  const pages = (gib * PAGES_A_GIB) / slotCount
  const slots = Array.from({ length: slotCount }, (_, id) => {
    const first = id * pages
    const gfn = first < 2 * PAGES_A_GIB ? first : first + 2 * PAGES_A_GIB
    return { gfn, npages: pages, delta: 0x7f0000000000n, id }
  })
  return { name, slots, size }
}

/** Its mapping, of which nothing is read yet. */
export function mappingOf({ slots, size }: Simulated): Mapping {
  const span = 512 ** size
  const reader: PageReader = {
    forget: () => undefined,
    read(slot, gfn, count, scratch, at) {
      const { low, more } = scratch
      if (size > 0) {
        const unit = Math.floor(gfn / span)
        const frame = (hash(unit) % 2 ** (28 - 9 * size)) * span + (gfn % span)
        fillAlike(scratch, frame, withFrame(slot, size, 0, frame))
        return
      }
      for (let i = 0; i < count; i++) {
        // 3 % of the pages are not there.
        const scattered = hash(gfn + i)
        if (scattered % 32 === 0) {
          more[at + i] = withoutFrame(slot, UNMAPPED)
          continue
        }
        low[at + i] = scattered % 0xe0000000
        more[at + i] = withFrame(slot, 0, 0, low[at + i] ?? 0)
      }
    },
  }
  return new Mapping(slots, NO_SLOT, reader)
}

/** Scatters numbers over 32 bits. */
function hash(value: number): number {
  return Math.imul(value ^ (value >>> 15), 0x9e3779b1) >>> 0
}
