// SPDX-License-Identifier: GPL-2.0-or-later
// Dumps that an old makedumpfile damaged: kernel pages that it took for user memory are not in them.

import { type Missing } from '../dump/format.ts'
import { isSlice } from '../dump/notes.ts'
import { CorruptError, FaultError } from '../errors.ts'
import { address, layout } from '../types/layout.ts'
import { type Host } from './host.ts'
import { listFromBothEnds } from './list.ts'
import { type Page, type Pages } from './page.ts'

/**
 * Linux 7.1 renamed `page.compound_head` in VMCOREINFO to `page.compound_info`. makedumpfile up to 1.7.8 does not know
 * that name (fixed upstream by its commit f50c015 of 2026-05-19). It then takes the second page of each compound page
 * for an anonymous page, and leaves it out at dump levels with bit 8.
 */
const NEW_KEY = 'page.compound_info'
const USER_PAGES = 8

/** What is wrong with such a dump and what helps, for summaries and errors. */
const DIAGNOSIS =
  'the dump was filtered by makedumpfile 1.7.8 or older, which does not know this kernel (7.1 or later) and leaves ' +
  'out kernel pages that it takes for user pages; take the next dump with a newer makedumpfile, or with a dump level ' +
  'without bit 8, such as -d 23'

/** Uses of a frame that no dump level leaves out. */
const kept = new Set<Page['use']>(['slab', 'kernel', 'table', 'reserved'])

/** So many tasks are looked at from either end of their list. Every slab of two pages or more tells. */
const SAMPLES = 32

/** Knows this damage when it sees it. Nothing is looked at before a page is missing or the summary is asked for. */
export class FilterDamage {
  readonly #host: Host
  readonly #pages: () => Pages
  readonly #known = new Map<number, boolean>()
  #isLooking = false
  #isDamaged: boolean | undefined

  /** Undefined for a dump that cannot have this damage: an older kernel, another dump level, a slice. */
  static of(host: Host, pages: () => Pages): FilterDamage | undefined {
    const { facts, notes } = host.memory.source
    const level = facts.dumpLevel ?? USER_PAGES
    const canBe = host.vmcoreinfo.offset(NEW_KEY) !== undefined && (level & USER_PAGES) !== 0
    return canBe && !isSlice(notes) ? new FilterDamage(host, pages) : undefined
  }

  constructor(host: Host, pages: () => Pages) {
    this.#host = host
    this.#pages = pages
  }

  /** The diagnosis, when a frame is missing by this damage and by nothing else. */
  explain(pfn: number, missing: Missing): string | undefined {
    if (missing.why !== 'excluded' || this.#isLooking) return undefined
    let isLost = this.#known.get(pfn)
    if (isLost === undefined) {
      isLost = this.#guarded(() => this.#isLostTail(pfn)) ?? false
      this.#known.set(pfn, isLost)
    }
    if (isLost) this.#isDamaged = true
    return isLost ? DIAGNOSIS : undefined
  }

  /** The diagnosis, when the dump is damaged in this way. Looks at some tasks, whose slabs have several pages each. */
  get diagnosis(): string | undefined {
    this.#isDamaged ??= this.#guarded(() => this.#sampleTasks()) ?? false
    return this.#isDamaged ? DIAGNOSIS : undefined
  }

  #sampleTasks(): boolean {
    const { space, types } = this.#host
    const task = layout(types, 'task_struct', { tasks: address('tasks') })
    const head = this.#host.symbol('init_task') + BigInt(task.offset('tasks'))
    const { nodes } = listFromBothEnds(space, head, 'task_struct.tasks', SAMPLES)
    const heads = new Set<number>()
    for (const node of nodes) {
      const page = this.#pages().find(Math.floor(space.physical(node) / 4096))
      if (page?.use === 'slab' && page.order > 0) heads.add(page.head)
    }
    return [...heads].some((pfn) => this.#isMissing(pfn + 1) && !this.#isMissing(pfn))
  }

  /** The second page of a compound page of the kernel whose first page is in the dump. */
  #isLostTail(pfn: number): boolean {
    if (this.#isMissing(pfn - 1)) return false
    const page = this.#pages().find(pfn)
    return page !== undefined && page.head === pfn - 1 && kept.has(page.use)
  }

  #isMissing(pfn: number): boolean {
    return !(this.#host.memory.source.page(pfn) instanceof Uint8Array)
  }

  /** While this looks, what it misses is not explained: that would have no end. What cannot be read tells nothing. */
  #guarded<T>(look: () => T): T | undefined {
    this.#isLooking = true
    try {
      return look()
    } catch (error) {
      if (error instanceof FaultError || error instanceof CorruptError) return undefined
      throw error
    } finally {
      this.#isLooking = false
    }
  }
}
