// SPDX-License-Identifier: GPL-2.0-or-later
// User virtual addresses of one process of the dumped host.

import { hex } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { FaultError } from '../errors.ts'
import { walk, type PageWalk } from '../paging/walk.ts'
import { type PagingRules } from '../paging/x86_64.ts'
import { type PhysicalMemory } from './physical.ts'
import { Space } from './space.ts'

/**
 * Gives the 4096 bytes behind a page-table entry that is not present, for a page that was swapped out. `offset` is the
 * address within what the entry stands for. Throws DumpError that says why it cannot.
 */
export type ReadSwapped = (address: bigint, entry: bigint, offset: number) => Uint8Array

/**
 * The memory of a process, read as the process would see it: swapped pages too, where memory still holds them. Untouched
 * pages are faults, not zeros.
 */
export class UserSpace extends Space {
  readonly name = 'user virtual'
  readonly memory: PhysicalMemory
  readonly rules: PagingRules
  /** The host physical address of the process's top table (mm->pgd). */
  readonly root: number
  readonly #readSwapped: ReadSwapped | undefined

  constructor(memory: PhysicalMemory, rules: PagingRules, root: number, readSwapped?: ReadSwapped) {
    super()
    this.#readSwapped = readSwapped
    this.memory = memory
    this.rules = rules
    this.root = root
  }

  /** Every entry on the way of one address. */
  walk(address: bigint): PageWalk {
    return walk(this.memory, this.rules, this.root, address)
  }

  protected pageAt(address: bigint): Uint8Array {
    const { end } = this.walk(address)
    if (end.kind === 'page') {
      const page = this.memory.tryPage(Math.floor(end.hpa / PAGE_SIZE))
      if (page instanceof Uint8Array) return page
      const where = `its page at hpa ${hex(end.hpa)}: ${page.detail}`
      throw new FaultError(this.name, address, page.why, where)
    }
    if (end.kind === 'not-in-dump') {
      const where = `its page table at ${hex(end.table)} is not in the dump: ${end.missing.detail}`
      throw new FaultError(this.name, address, end.missing.why, where)
    }
    if (end.kind === 'swap' && this.#readSwapped !== undefined) {
      return this.#readSwapped(address, end.value, Number(address % BigInt(end.pageSize)))
    }
    const detail = end.kind === 'swap' ? 'swapped out or special' : 'nothing is mapped there'
    throw new FaultError(this.name, address, 'not-mapped', detail)
  }
}
