// SPDX-License-Identifier: GPL-2.0-or-later
// Who has a frame, in words: the steps and the answer.

import { formatSize, hex } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { type Page } from '../linux/page.ts'
import { type FrameFacts, type OwnerKind, type GuestOwner, type ProcessOwner } from './frame.ts'
import { type CachedFile, type FreeBlock, type SlabFrame } from './kernelpage.ts'
import { describeGuestOwner } from './owners.ts'

/** What its `struct page` says. */
export function describeFlags(page: Page): string {
  const flags = page.flags.length === 0 ? 'no flags' : page.flags.join('|')
  const part = page.order === 0 ? '' : `, in a block of ${formatSize(4096 * 2 ** page.order)}`
  return `its struct page at ${hex(page.address)}: ${page.use}${part}, ${flags}, ${page.refcount} references`
}

/** Where a frame lies by the kernel's map of physical memory; null when the dump lacks that. */
export function describePlace(pfn: number, names: readonly string[] | null): string {
  if (names === null) return `frame ${hex(pfn)} (iomem_resource is not in this dump)`
  if (names.length === 0) return `frame ${hex(pfn)}: iomem_resource has nothing there`
  return `frame ${hex(pfn)} is in ${names.map((name) => `'${name}'`).join(', ')} (iomem_resource)`
}

/** Page-table entries that map a frame: one in two memslots is one, and one that is not present is none. */
export function countEntries(
  guests: readonly GuestOwner[],
  processes: readonly ProcessOwner[],
): number {
  return new Set([
    ...guests.filter(isMapped).map(({ vm, hva }) => `${vm.mmAddress} ${hva}`),
    ...processes.filter(isMapped).map(({ task, hva }) => `${task.mmAddress} ${hva}`),
  ]).size
}

/** How many pages have it, and whether the kernel counts as many. */
export function describeMapped(
  guests: readonly GuestOwner[],
  processes: readonly ProcessOwner[],
  page: Page | null,
): string {
  const entries = countEntries(guests, processes)
  const counted = page?.mapcount ?? null
  const kernel =
    counted === null
      ? ''
      : counted === entries
        ? `; ${entries} of these entries are present, as many as the kernel counts`
        : `; ${entries} of these entries are present, and the kernel counts ${counted}`
  const pages = (n: number) => `${n} ${n === 1 ? 'page' : 'pages'}`
  return `page tables name it for ${pages(guests.length)} of guests and ${pages(processes.length)} of processes${kernel}`
}

function isMapped({ holding }: { readonly holding: string }): boolean {
  return holding === 'mapped'
}

/** The steps behind `struct page`: mapping, slab cache, free list. */
export function describeKernel(
  kind: OwnerKind,
  file: CachedFile | null,
  slab: SlabFrame | null,
  free: FreeBlock | null,
  page: Page | null,
): string[] {
  const steps: string[] = []
  if (file !== null) steps.push(`page->mapping leads to ${describeFile(file)}`)
  if (slab !== null) {
    steps.push(
      `slab_cache leads to '${printable(slab.cache)}', objects of ${slab.objectSize} bytes`,
    )
  }
  if (free !== null) {
    const head = `a free block of order ${free.order} begins at frame ${hex(free.firstPfn)}`
    steps.push(`${head}, on a list of the buddy allocator`)
  } else if (kind === 'free') {
    steps.push(
      'it is in no block of the buddy allocator: in a list of one processor, or being freed',
    )
  }
  if (page?.isPoisoned === true) steps.push('hwpoison: a memory error took the frame out of use')
  return steps
}

/** `offset 0x3000 of /var/log/syslog`. */
export function describeFile({ path, inode, fileSystem, device, offset }: CachedFile): string {
  const name =
    device !== null
      ? `block device ${device}`
      : path === null
        ? `inode ${inode} of ${fileSystem}, whose name is not in memory`
        : printable(path, 255)
  return `offset ${hex(offset)} of ${name}`
}

/** `qemu-system-x86 pid 183 at hva 0x7f…, in /usr/bin/qemu`. */
export function describeProcess({ task, hva, vma }: ProcessOwner): string {
  const area = vma?.file ?? vma?.name ?? (vma === null ? null : 'anonymous memory')
  const where = area === null ? '' : `, in ${printable(area, 255)}`
  return `${printable(task.comm)} pid ${task.pid} at hva ${hex(hva)}${where}`
}

/** The answer in one sentence. */
export function answerOf(facts: FrameFacts): string {
  const { kind, guests, processes, page } = facts
  const poison =
    page?.isPoisoned === true ? '; the frame is poisoned: the kernel took it out of use' : ''
  return ownersOf(kind, guests, processes, facts, page) + poison
}

function ownersOf(
  kind: OwnerKind,
  guests: readonly GuestOwner[],
  processes: readonly ProcessOwner[],
  { file, slab, free, resources }: FrameFacts,
  page: Page | null,
): string {
  const [guest] = guests
  const [process] = processes
  const all = guests.length + processes.length
  const others = all > 1 ? `, and ${all - 1} more` : ''
  switch (kind) {
    case 'guest': {
      const holding = guest === undefined || guest.holding === 'mapped' ? '' : ` (${guest.holding})`
      const shared = page?.use === 'ksm' ? '; merged by KSM' : ''
      return `${guest === undefined ? '' : describeGuestOwner(guest)}${holding}${others}${shared}`
    }
    case 'process':
      return `${process === undefined ? '' : describeProcess(process)}${others}`
    case 'swap-cache': {
      const whose = guest === undefined ? 'nobody who is known' : describeGuestOwner(guest)
      return `swap cache: the copy of a page that was swapped out, of ${whose}${others}`
    }
    case 'zero':
      return `the shared page of zeros, mapped at ${all} places`
    case 'file':
      return `page cache: ${file === null ? 'of a file that cannot be read' : describeFile(file)}`
    case 'hugetlb':
      return 'a huge page of hugetlb, free in its pool'
    case 'anon':
      return 'memory of a process, but no page table names it'
    case 'free':
      return free === null
        ? 'free'
        : `free, in a block of order ${free.order} (${formatSize(4096 * 2 ** free.order)})`
    case 'slab':
      return `slab: ${slab === null ? 'of a cache that cannot be read' : printable(slab.cache)}`
    case 'table':
      return 'a page table'
    case 'kernel':
      return 'memory of the kernel, allocated for something that leaves no mark'
    case 'reserved':
      return `reserved by the kernel${resources.length === 0 ? '' : ` (${resources.at(-1) ?? ''})`}`
    case 'offline':
      return 'offline: given back to a hypervisor, or switched off'
    case 'not-ram':
      return `no memory of this host${resources.length === 0 ? '' : ` (${resources.at(-1) ?? ''})`}`
    case 'unknown':
      return 'not known: its struct page cannot be read'
  }
}
