// SPDX-License-Identifier: GPL-2.0-or-later
// Where QEMU's machines of the PC family put their memory: from 0 up to a hole below 4 GiB, the rest above it.

import { UnsupportedError } from '../../errors.ts'
import { type Range } from '../ranges.ts'

const GIB = 2 ** 30
const FOUR_GIB = 4 * GIB

/** How much of `size` bytes lies below 4 GiB; undefined for a machine that is not known. */
type LowMemory = (size: number, version: number) => number | undefined

/**
 * By machine type: pc_init1 of hw/i386/pc_piix.c, pc_q35_init of hw/i386/pc_q35.c, hw/i386/microvm.c (QEMU 2.0 to 10.0).
 * Distributions name theirs after themselves: `pc-q35-rhel9.2.0`, `pc-i440fx-jammy`.
 */
const machines: readonly (readonly [RegExp, LowMemory])[] = [
  [/q35/, (size) => (size >= 0xb0000000 ? 2 * GIB : 0xb0000000)],
  [/^xenfv/, () => 0xf0000000],
  [/^microvm/, () => 3 * GIB],
  // Up to 1.7 the hole was 512 MiB wide.
  [
    /^(pc|pc-i440fx|pc-\d)/,
    (size, version) => (version < 2 || size < 0xe0000000 ? 0xe0000000 : 3 * GIB),
  ],
]

/** AMD's processors have a hole below 1 TiB, which machines from 7.1 on leave free when memory would reach it. */
const AMD_HOLE = 0xfd00000000

/** The memory map of a machine. */
export interface MemoryMap {
  /** Guest physical addresses, and where in the machine's memory they begin. */
  readonly ranges: readonly Range[]
  /** What it rests on, for the dump's summary. */
  readonly remark: string
}

/**
 * The map of `size` bytes of memory of a machine type, such as `pc-q35-7.2`; `-machine max-ram-below-4g` is not in the
 * stream, and would make it another. Throws UnsupportedError for a machine that is not known, when it matters.
 */
export function memoryMap(machine: string | undefined, size: number): MemoryMap {
  const type = machine ?? ''
  const version = Number(/-(\d+\.\d+)/.exec(type)?.[1] ?? 2)
  const low = machines.find(([pattern]) => pattern.test(type))?.[1](size, version)
  // Every machine has 2 GiB in one piece.
  if (low === undefined && size > 2 * GIB) {
    const what = machine === undefined ? 'a machine that it does not name' : `machine ${machine}`
    throw new UnsupportedError(
      `a migration stream of ${what} with ${size} bytes of memory: where its memory has a hole is not known`,
      'memory map',
    )
  }
  const below = Math.min(size, low ?? size)
  const ranges = [{ start: 0, end: below, offset: 0 }]
  const above = FOUR_GIB + size - below
  if (size > below) ranges.push({ start: FOUR_GIB, end: above, offset: below })
  const doubt = above > AMD_HOLE ? ', unless it is an AMD machine with a hole below 1 TiB' : ''
  const upper = size > below ? ` and 0x100000000 to 0x${above.toString(16)}` : ''
  const map = `memory at 0 to 0x${below.toString(16)}${upper}`
  return { ranges, remark: `${map}, as ${machine ?? 'every machine'} has it${doubt}` }
}
