// SPDX-License-Identifier: GPL-2.0-or-later
// The bytes of a guest's memory by guest physical address, from wherever the host keeps them.

import { hex, parseAddress } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { DumpError, FaultError, MissingError, UnsupportedError, UsageError } from '../errors.ts'
import { type PageContent } from '../linux/swap/swapcontent.ts'
import { type Linux } from '../linux/linux.ts'
import { type UserSpace } from '../space/uva.ts'
import { type PrivatePage } from './guestmemfd.ts'
import { type Memslot, type MemslotList } from './memslots/memslot.ts'

/** What of a virtual machine its memory is read by. */
export interface GuestMemory {
  readonly linux: Linux
  /** The `mm_struct` of its VMM. */
  readonly mmAddress: bigint
  readonly userSpace: UserSpace
  readonly memslots: MemslotList
  slotOf(gpa: number): Memslot | undefined
  privatePage(gpa: number): PrivatePage | null
  checkAlive(): void
}

/** As for other reads of a dump. */
const MAX_LENGTH = 0x40000000
/** The highest guest physical address of x86-64 has 52 bits. */
const GPA_END = 2 ** 52

/**
 * The content of the page that holds a guest physical address, and where it is from. Throws FaultError that names the
 * gpa when there is none, or when it is in a place that the dump does not hold or that is not read; CorruptError for
 * damaged structures.
 */
export function guestPage(vm: GuestMemory, gpa: number): PageContent {
  const slot = vm.slotOf(gpa)
  if (slot === undefined) {
    const detail = vm.memslots.isWhole
      ? 'no memslot holds it'
      : 'no memslot that could be read holds it, and some are not in the dump'
    throw new FaultError('guest physical', gpa, vm.memslots.isWhole ? 'not-mapped' : 'lost', detail)
  }
  const hva = slot.hva + BigInt(gpa - slot.gpa)
  try {
    const own = vm.privatePage(gpa)
    if (own !== null) return privateContent(vm, own)
    return vm.linux.contents.read(vm.mmAddress, vm.userSpace, hva)
  } catch (error) {
    throw faultOf(gpa, error)
  }
}

/** The frame of a private page. What was never touched is not zeros: who would say so is the guest's own hardware. */
function privateContent(vm: GuestMemory, { hpa, file }: PrivatePage): PageContent {
  if (hpa === null) {
    const why = file === null ? 'its guest_memfd was closed' : 'it was never touched'
    throw new FaultError('physical', 0, 'not-mapped', `private to the guest, and ${why}`)
  }
  const pfn = Math.floor(hpa / PAGE_SIZE)
  const bytes = vm.linux.host.memory.page(pfn, 'a private page of the guest')
  return { from: 'guest_memfd', how: `hpa ${hex(pfn * PAGE_SIZE)}, perhaps encrypted`, bytes }
}

/** Why a page has no content here, with its gpa. Damaged structures stay what they are. */
function faultOf(gpa: number, error: unknown): unknown {
  if (error instanceof FaultError) {
    return new FaultError('guest physical', gpa, error.reason, error.detail)
  }
  // What zswap and zram do that is not read, and what is missing of their types.
  if (error instanceof UnsupportedError || error instanceof MissingError) {
    return new FaultError('guest physical', gpa, 'swapped', error.message)
  }
  if (error instanceof DumpError && error.code === 'codec') {
    return new FaultError('guest physical', gpa, 'corrupt', error.message)
  }
  return error
}

/** Reads bytes of a guest: see `Vm.read`. */
export function readGuest(
  vm: GuestMemory,
  address: bigint | number | string,
  length: number,
): Uint8Array {
  const start = Number(parseAddress(address) ?? NaN)
  if (!Number.isSafeInteger(start) || start < 0 || start >= GPA_END) {
    throw new UsageError(
      `vm.read(gpa, length): '${String(address)}' is no guest physical address; wanted a number or hex text`,
    )
  }
  if (!Number.isSafeInteger(length) || length < 0 || length > MAX_LENGTH) {
    throw new UsageError(`vm.read(${hex(start)}, ${length}): wanted a length of 0 to 1 GiB`)
  }
  vm.checkAlive()
  const bytes = new Uint8Array(length)
  for (let done = 0; done < length;) {
    const from = (start + done) % PAGE_SIZE
    const page = pageAfter(vm, start + done, done, length)
    const part = page.subarray(from, from + length - done)
    bytes.set(part, done)
    done += part.length
  }
  return bytes
}

function pageAfter(vm: GuestMemory, gpa: number, done: number, length: number): Uint8Array {
  try {
    return guestPage(vm, gpa).bytes
  } catch (error) {
    const spans = done > 0 || (gpa % PAGE_SIZE) + length > PAGE_SIZE
    throw error instanceof FaultError && spans ? error.after(done, length) : error
  }
}
