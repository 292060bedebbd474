// SPDX-License-Identifier: GPL-2.0-or-later
// Finds who has a frame: step by step, with what could not be read.

import { printable } from '../bytes/printable.ts'
import { DumpError, FaultError, ifThere } from '../errors.ts'
import { type Page } from '../linux/page.ts'
import { entryValues } from '../linux/swap/entryvalue.ts'
import { type OwnerKind, type GuestOwner, type ProcessOwner } from './frame.ts'
import { resourcesAt } from './iomem.ts'
import { isRam, isSwapCached, kernelKind } from './kinds.ts'
import { guestOwners, processOwners, swappedOwners } from './owners.ts'
import { type WayBack } from './wayback.ts'
import { WhoHas } from './whohas.ts'
import {
  countEntries,
  describeFlags,
  describeKernel,
  describeMapped,
  describePlace,
} from './words.ts'

/** Who has the frame of a host physical address, below 2^52. */
export function whoHas(back: WayBack, hpa: number): WhoHas {
  const pfn = Math.floor(hpa / 4096)
  const how: string[] = []
  const remarks: string[] = []
  const tried = <T>(what: string, other: T, read: () => T): T => {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof DumpError)) throw error
      remarks.push(`${what}: ${error.message}`)
      return other
    }
  }
  // Where struct page tells more, it is no loss when this map is not in the dump.
  const map = tried('iomem_resource', [], () => ifThere(() => resourcesAt(back.linux.host, hpa)))
  const names = map instanceof FaultError ? [] : map.map(({ name }) => printable(name))
  how.push(describePlace(pfn, map instanceof FaultError ? null : names))
  const page = isRam(back, pfn)
    ? tried('the struct page', null, () => back.linux.pages.at(pfn))
    : null
  if (page !== null) how.push(describeFlags(page))
  const offset = hpa % 4096
  let guests = guestOwners(back, pfn, offset)
  const processes = processOwners(back, pfn, offset)
  if (guests.length + processes.length > 0) how.push(describeMapped(guests, processes, page))
  // Where as many entries were found as the kernel counts, none can hide in a table that the dump lacks.
  if (page?.mapcount == null || page.mapcount !== countEntries(guests, processes)) {
    remarks.push(...back.guests.remarks, ...back.processes.remarks)
  }
  const swap = page === null ? null : tried('the swap entry', null, () => swapEntryOf(back, page))
  if (swap !== null && guests.length + processes.length === 0) {
    guests = swappedOwners(back, swap.type, swap.offset, offset)
    // The entry can stand in a table that the dump lacks.
    if (guests.length === 0) remarks.push(...back.guests.remarks)
    how.push(
      `it is the copy of page ${swap.offset} of ${swap.path} in the swap cache; ` +
        (guests.length === 0
          ? "no guest's page table has that swap entry (shared memory keeps it in its file)"
          : "found by that swap entry in the guests' page tables"),
    )
  }
  const of = <T>(what: string, use: boolean, read: () => T): T | null =>
    page !== null && use ? tried(what, null, read) : null
  const file = of('the file', page !== null && isFileUse(page), () =>
    page === null ? null : back.kernel.file(page),
  )
  const slab = of('the slab', page?.use === 'slab', () =>
    page === null ? null : back.kernel.slab(page),
  )
  const free = of('the free list', page?.use === 'free', () => back.kernel.freeBlock(pfn))
  const kind = kindOf(guests, processes, page, () =>
    tried('page_type', 'unknown', () => kernelKind(back, pfn, page)),
  )
  how.push(...describeKernel(kind, file, slab, free, page))
  const facts = { hpa, kind, guests, processes, file, slab, free, page, resources: names }
  return new WhoHas({ ...facts, how, remarks: [...new Set(remarks)] })
}

function isFileUse({ use }: Page): boolean {
  return use === 'file' || use === 'shmem' || use === 'hugetlb'
}

/** A frame of zeros is everybody's; a guest that has a frame counts more than a process. */
function kindOf(
  guests: readonly GuestOwner[],
  processes: readonly ProcessOwner[],
  page: Page | null,
  other: () => OwnerKind,
): OwnerKind {
  if (page?.use === 'zero') return 'zero'
  if (guests.some(({ holding }) => holding !== 'swapped')) return 'guest'
  return processes.length > 0 ? 'process' : other()
}

interface SwapEntryOfPage {
  readonly type: number
  readonly offset: number
  readonly path: string
}

function swapEntryOf({ kernel, linux }: WayBack, page: Page): SwapEntryOfPage | null {
  if (!isSwapCached(page)) return null
  const { type, offset } = entryValues(linux.host).read(kernel.privateOf(page.head))
  const device = linux.swap.devices.find((one) => one.type === type)
  return {
    type,
    // Later pages of a folio follow the head.
    offset: offset + page.pfn - page.head,
    path: device === undefined ? `swap type ${type}` : printable(device.path, 255),
  }
}
