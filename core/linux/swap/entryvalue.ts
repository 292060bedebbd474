// SPDX-License-Identifier: GPL-2.0-or-later
// `swp_entry_t`: type and offset of a swapped page in one word, as the page cache and the swap cache have it.

import { hex } from '../../bytes/hex.ts'
import { UnsupportedError } from '../../errors.ts'
import { type Host } from '../host.ts'

/** How one kernel puts type and offset into a `swp_entry_t`, which is not how an entry of a page table has them. */
export interface EntryValues {
  /** The words that can stand for page `offset` of a device: two in kernels that do not tell which. */
  of(type: number, offset: number): bigint[]
  /**
   * Takes a word apart. Throws UnsupportedError when it can be read in two ways that both name a device of this host.
   */
  read(value: bigint): { type: number; offset: number }
}

/**
 * The type stands at the top (SWP_TYPE_SHIFT of include/linux/swapops.h): above 58 bits with XArrays, above 57 with
 * radix trees since 3.5, which keep two bits of a word for themselves, and above 59 before. What is there of other
 * things tells: one swapper_space came apart in 3.9, and shmem had entries of its own (i_direct) until 3.0.
 */
export function entryValues(host: Host): EntryValues {
  const { space, types, symbols } = host
  const shmem = types.struct('shmem_inode_info')
  const shifts = !types.has('radix_tree_root')
    ? [58]
    : symbols.address('swapper_spaces') !== undefined
      ? [57]
      : shmem?.member('i_direct') !== undefined
        ? [59]
        : [57, 59]
  const readAt = (value: bigint, shift: number) => ({
    type: Number(value >> BigInt(shift)),
    offset: Number(BigInt.asUintN(shift, value)),
  })
  return {
    of: (type, offset) => [
      ...new Set(shifts.map((shift) => (BigInt(type) << BigInt(shift)) + BigInt(offset))),
    ],
    read(value) {
      const [first = readAt(value, 58), second] = shifts.map((shift) => readAt(value, shift))
      if (second === undefined || first.type === second.type) return first
      const count = space.u32(host.symbol('nr_swapfiles'))
      if (second.type >= count || second.offset >= 2 ** 57) return first
      if (first.type >= count) return second
      const problem = `swap entry ${hex(value)} names device ${first.type} in kernels since 3.5, ${second.type} before, and this one does not tell which it is`
      throw new UnsupportedError(problem, 'swap entries of 3.1 to 3.8 with more than four devices')
    },
  }
}
