// SPDX-License-Identifier: GPL-2.0-or-later
// The address of every page that a guest has memory for, piece by piece: input for whole guests.

import { wordsOf } from '../bytes/words.ts'
import { type Memslot } from '../kvm/memslots/memslot.ts'
import { type Vm } from '../kvm/vm.ts'

/** So many rows are made, translated and written at a time: some MB, and a millisecond or two of translation. */
export const BATCH_ROWS = 131_072

const PAGE_SIZE = 4096

/** How many pages of 4 KiB the memslots of a virtual machine have. Those of SMM (address space 1) do not count. */
export function guestPageCount(vm: Vm): number {
  return slotsOf(vm).reduce((sum, { npages }) => sum + npages, 0)
}

/**
 * The guest physical address of each page in the memslots of a virtual machine, ascending, in columns for `qemuVtop` of
 * at most 131,072 rows. `from` and `to` count pages, and choose some of them.
 */
export function* guestPages(vm: Vm, from = 0, to = Infinity): Generator<BigUint64Array> {
  let column = new BigUint64Array(BATCH_ROWS)
  let words = wordsOf(column)
  let count = 0
  let first = 0
  for (const { baseGfn, npages } of slotsOf(vm)) {
    const start = Math.max(0, from - first)
    const end = Math.min(npages, to - first)
    first += npages
    for (let page = start; page < end; page++) {
      const gpa = (baseGfn + page) * PAGE_SIZE
      words[2 * count] = gpa
      words[2 * count + 1] = gpa / 2 ** 32
      if (++count < BATCH_ROWS) continue
      yield column
      column = new BigUint64Array(BATCH_ROWS)
      words = wordsOf(column)
      count = 0
    }
  }
  if (count > 0) yield column.subarray(0, count)
}

function slotsOf(vm: Vm): Memslot[] {
  vm.checkAlive()
  return vm.memslots
    .filter((slot) => slot.addressSpace === 0 && !slot.invalid)
    .sort((a, b) => a.gpa - b.gpa)
}
