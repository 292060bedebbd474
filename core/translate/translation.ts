// SPDX-License-Identifier: GPL-2.0-or-later
// The answer for one guest physical address: where its page is on the host, every step there, and why not.

import { type TranslationState } from '../kvm/gpastate.ts'
import { type Memslot } from '../kvm/memslots/memslot.ts'
import { type Page } from '../linux/page.ts'
import { type SwapPlace } from '../linux/swap/swap.ts'
import { type PageContent } from '../linux/swap/swapcontent.ts'
import { type Vma } from '../linux/vma.ts'
import { type PageWalk } from '../paging/walk.ts'

export { type TranslationState } from '../kvm/gpastate.ts'

/** Who was asked: the VMM's task and its virtual machine, for headings. */
export interface Subject {
  /** Of the VMM's task; null when that is gone, and only the virtual machine is left. */
  readonly pid: number | null
  readonly comm: string | null
  /** The guest's name from the VMM's command line, or null. */
  readonly vmName: string | null
}

/** The facts of a translation; `Translation` adds the text, JSON and what is looked up when asked. */
export interface TranslationFacts {
  /** Who was asked. */
  readonly subject: Subject
  /** The guest physical address. */
  readonly gpa: number
  /** What became of it. */
  readonly state: TranslationState
  /** One sentence that says why it is so. */
  readonly reason: string
  /** The host virtual address in the VMM's process, or null without a memslot. */
  readonly hva: bigint | null
  /**
   * The host physical address, or null when no frame is behind it. For `poisoned` the frame that was lost, for
   * `migrating` the old one.
   */
  readonly hpa: number | null
  /** The size of the mapping in bytes (4096, 2 MiB, 1 GiB), or null when nothing is mapped. */
  readonly pageSize: number | null
  /** The memslot that holds the address, or null. */
  readonly slot: Memslot | null
  /** The page walk with every entry, or null without a memslot, and for pages of guest_memfd, which are not mapped. */
  readonly walk: PageWalk | null
  /** Where a swapped page is, else null. */
  readonly swap: SwapPlace | null
}

/** Where the content of the guest's page can be read, or why it cannot. */
export interface ContentPlace {
  /** As in what `vm.read` reads from; null when it cannot be read. */
  readonly from: PageContent['from'] | null
  /** Where that is, such as `zram0, lz4, 74 bytes`; or why there is none. */
  readonly how: string
}

/** What a `Translation` shows beyond its facts. Both are null when there is none or the dump lacks it. */
export interface Translated extends TranslationFacts {
  readonly vma: Vma | null
  readonly page: Page | null
  /** Why VMA or page could not be read, one sentence each; empty when nothing is wrong. */
  readonly remarks?: readonly string[]
  /** Where the content of a page that is not mapped can be read; null for all others. */
  readonly content?: ContentPlace | null
  /** What of the answer was salvaged, one sentence each; empty when nothing was. */
  readonly salvaged?: readonly string[]
}
