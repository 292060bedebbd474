// SPDX-License-Identifier: GPL-2.0-or-later
// What can be known of a frame of the host's memory.

import { type Memslot } from '../kvm/memslots/memslot.ts'
import { type Vm } from '../kvm/vm.ts'
import { type Page } from '../linux/page.ts'
import { type Task } from '../linux/task.ts'
import { type Vma } from '../linux/vma.ts'
import { type CachedFile, type FreeBlock, type SlabFrame } from './kernelpage.ts'
import { type SpecialPage } from './noting.ts'

/**
 * How an owner has the frame. `mapped`: a page-table entry names it, also one that is PROT_NONE for now. `migrating`: its
 * page was being moved away from it. `poisoned`: the frame was taken out of use by a memory error. `device-private`: lent
 * to a device. `swapped`: the entry says that the page is in swap, and the frame is its copy in the swap cache.
 */
export type Holding = 'mapped' | SpecialPage['kind'] | 'swapped'

/** A page of a guest that has the frame. */
export interface GuestOwner {
  readonly vm: Vm
  /** The guest physical address of the byte that was asked for. */
  readonly gpa: number
  /** 0 is normal memory, 1 what the guest sees in system management mode only. */
  readonly addressSpace: number
  readonly slot: Memslot
  /** The host virtual address in the VMM. */
  readonly hva: bigint
  readonly holding: Holding
}

/** A page of a process that has the frame, beside the memory of guests. */
export interface ProcessOwner {
  readonly task: Task<Vm>
  readonly hva: bigint
  readonly holding: Holding
  /** The memory area around it, or null when there is none or the dump lacks it. */
  readonly vma: Vma | null
}

/**
 * What has a frame. `guest` and `process`: it is mapped there. `swap-cache`: the copy of a page that was swapped out.
 * `zero`: the shared page of zeros. `file`: page cache of a file, a device or shared memory that nobody has mapped.
 * `hugetlb`: a huge page that waits in its pool. `anon`: memory of processes that no page table names. `free`, `slab`, `table` (a page table), `kernel`, `reserved`,
 * `offline` are the kernel's. `not-ram`: the host has no memory there. `unknown`: the dump lacks what tells.
 */
export type OwnerKind =
  | 'guest'
  | 'process'
  | 'swap-cache'
  | 'zero'
  | 'file'
  | 'hugetlb'
  | 'anon'
  | 'free'
  | 'slab'
  | 'table'
  | 'kernel'
  | 'reserved'
  | 'offline'
  | 'not-ram'
  | 'unknown'

/** What is found of a frame; `WhoHas` adds text and JSON. */
export interface FrameFacts {
  /** The address that was asked for. */
  readonly hpa: number
  /** What has the frame: of several owners the one that counts most. */
  readonly kind: OwnerKind
  /** Every page of every guest that has it: several, when KSM or guests share it. */
  readonly guests: readonly GuestOwner[]
  /** Every page of a process that has it, beside the memory of guests. */
  readonly processes: readonly ProcessOwner[]
  /** The file whose page cache it is, also when it is mapped; else null. */
  readonly file: CachedFile | null
  readonly slab: SlabFrame | null
  /** The free block of the buddy allocator, or null. */
  readonly free: FreeBlock | null
  /** Its `struct page`, or null when there is none or the dump lacks it. */
  readonly page: Page | null
  /** What the kernel's map of physical memory (/proc/iomem) has there, from the widest to the narrowest. */
  readonly resources: readonly string[]
  /** The steps that led to the answer, one sentence each. */
  readonly how: readonly string[]
  /** What could not be read, so that an owner may be missing; empty for a whole dump. */
  readonly remarks: readonly string[]
}
