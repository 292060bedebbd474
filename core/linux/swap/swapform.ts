// SPDX-License-Identifier: GPL-2.0-or-later
// Where type and offset stand in a swap entry: one form since L1TF, and three before, which entries themselves must tell.

import { UnsupportedError } from '../../errors.ts'

/** Where an entry keeps type and offset. `low` and `high` are its halves. */
export interface SwapForm {
  readonly name: string
  type(low: number, high: number): number
  /** In pages. */
  offset(low: number, high: number): number
  /** False for an entry that this form cannot make. */
  isPossible(low: number): boolean
  /** True for a page of a file in a nonlinear mapping, which is no swap entry. */
  isNonlinear(low: number): boolean
}

/** Since the fix of L1TF: type in the upper five bits; the offset is inverted, so that no entry names memory. */
export const inverted: SwapForm = {
  name: 'type in bits 59 to 63, offset inverted from bit 9',
  // __swp_type and __swp_offset of arch/x86/include/asm/pgtable_64.h.
  type: (_low, high) => high >>> 27,
  offset: (low, high) => (~high & 0x7ffffff) * 0x800000 + (~low >>> 9),
  isPossible: () => true,
  isNonlinear: () => false,
}

/** 4.8 to 4.17: the type in bits 9 to 13, and the offset above. */
function middle(name: string, first: 14 | 15): SwapForm {
  return {
    name,
    type: (low) => (low >>> 9) & 31,
    offset: (low, high) => high * 2 ** (32 - first) + (low >>> first),
    // Nothing stands in the gap.
    isPossible: (low) => first === 14 || ((low >>> 14) & 1) === 0,
    isNonlinear: () => false,
  }
}

/** _PAGE_FILE of remap_file_pages, until 3.19. */
const NONLINEAR = 0x40

const before: readonly SwapForm[] = [
  middle('type in bits 9 to 13, offset from bit 14', 14),
  // RHEL 7.3 adds a bit too many: SWP_OFFSET_FIRST_BIT is 15 there.
  middle('type in bits 9 to 13, offset from bit 15', 15),
  // To 4.7.
  {
    name: 'type in bits 1 to 5, offset from bit 9',
    type: (low) => (low >>> 1) & 31,
    offset: (low, high) => high * 0x800000 + (low >>> 9),
    isPossible: () => true,
    isNonlinear: (low) => (low & NONLINEAR) !== 0,
  },
]

/** What a form from before L1TF is chosen by. */
export interface FormEvidence {
  /** Swap entries out of page tables, as halves. */
  readonly samples: readonly (readonly [low: number, high: number])[]
  /** The pages of each device by type; types from `maxSwapFiles` on are special. */
  readonly devices: ReadonlyMap<number, number>
  readonly maxSwapFiles: number
}

/** So many entries of pages on devices are needed to tell. */
const LEAST = 8
/** Offsets of one device follow each other, so their lowest bits all change: those of a wrong form stand still. */
const CHANGING_BITS = 4

/**
 * The only form for which every entry names a page that a device has, and for which the low bits of the offsets change
 * as those of neighbouring pages do. Throws UnsupportedError when none or several are left.
 */
export function chooseForm(evidence: FormEvidence): { form: SwapForm; from: string } {
  const fitting = before.filter((form) => fits(form, evidence))
  const [form, another] = fitting
  const { samples, devices } = evidence
  if (form === undefined || another !== undefined) {
    const left = form === undefined ? 'none' : fitting.map(({ name }) => name).join('; or ')
    throw new UnsupportedError(
      `which form the swap entries of this kernel have cannot be told from ${samples.length} entries and ${devices.size} swap devices: ${left} fits`,
      'swap entries before L1TF',
    )
  }
  return { form, from: `${samples.length} swap entries, which fit no other form` }
}

function fits(form: SwapForm, { samples, devices, maxSwapFiles }: FormEvidence): boolean {
  let count = 0
  let ones = 0
  let zeros = 0
  for (const [low, high] of samples) {
    if (form.isNonlinear(low)) continue
    if (!form.isPossible(low)) return false
    const type = form.type(low, high)
    if (type >= maxSwapFiles) continue
    const offset = form.offset(low, high)
    const pages = devices.get(type)
    // The first page of a device is its header.
    if (pages === undefined || offset === 0 || offset >= pages) return false
    ones |= offset & (2 ** CHANGING_BITS - 1)
    zeros |= ~offset & (2 ** CHANGING_BITS - 1)
    count++
  }
  return count >= LEAST && (ones & zeros) === 2 ** CHANGING_BITS - 1
}
