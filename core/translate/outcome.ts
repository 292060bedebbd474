// SPDX-License-Identifier: GPL-2.0-or-later
// What a page walk comes to for the guest: a state, and one sentence that says why.

import { formatSize, hex } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { type PrivatePage } from '../kvm/guestmemfd.ts'
import { type Memslot, slotName } from '../kvm/memslots/memslot.ts'
import { type Vm } from '../kvm/vm.ts'
import { type SwapPlace } from '../linux/swap/swap.ts'
import { type SwapEntry } from '../linux/swap/swapentry.ts'
import { type PageWalk, type WalkStep } from '../paging/walk.ts'
import { look, vmaOf } from './look.ts'
import { type TranslationState } from './translation.ts'

/** What the last entry of a walk comes to. */
export interface Outcome {
  readonly state: TranslationState
  readonly reason: string
  readonly hpa?: number
  readonly pageSize?: number
  readonly swap?: SwapPlace
}

/** What becomes of an address that no memslot holds: when some are lost, nobody can say that there was none. */
export function noSlot(vm: Vm, gpa: number): Outcome {
  const { lost, isWhole } = vm.memslots
  if (isWhole) return { state: 'no-slot', reason: noSlotReason(vm, gpa) }
  const missing = lost.filter((slot) => slot.addressSpace === 0)
  const [first] = missing
  const reason =
    first === undefined
      ? 'no memslot that could be read holds it, but it is not certain that the salvaged ones are whole'
      : `no memslot that could be read holds it, but ${missing.length} could not be read: ${first.reason}`
  return { state: 'not-in-dump', reason }
}

/** Why a guest physical address is in no memslot that counts. */
function noSlotReason(vm: Vm, gpa: number): string {
  // The first words are those of the crash extension.
  const base = `${gpa.toString(16)} has not been allocated`
  const gfn = Math.floor(gpa / PAGE_SIZE)
  const stale = vm.memslots.find(
    (slot) =>
      slot.addressSpace === 0 &&
      slot.invalid &&
      gfn >= slot.baseGfn &&
      gfn < slot.baseGfn + slot.npages,
  )
  if (stale !== undefined)
    return `${base}: its memslot ${slotName(stale)} was being deleted or moved`
  const smm = vm.slotOf(gpa, 1)
  if (smm !== undefined) {
    return `${base}: only in system management mode (SMM) the guest has memory there, memslot ${slotName(smm)}`
  }
  const normal = vm.memslots.filter((slot) => slot.addressSpace === 0)
  const below = normal.filter((slot) => slot.gpa + slot.size <= gpa).at(-1)
  const above = normal.find((slot) => slot.gpa > gpa)
  const hints = [
    below === undefined ? '' : `slot ${slotName(below)} ends at ${hex(below.gpa + below.size - 1)}`,
    above === undefined ? '' : `slot ${slotName(above)} begins at ${hex(above.gpa)}`,
  ].filter((hint) => hint !== '')
  return `${base}: no memslot holds it${hints.length > 0 ? ` (${hints.join(', ')})` : ''}`
}

/** What becomes of an address that is private to a confidential guest: the VMM's page tables do not lead there. */
export function privateOutcome({ file, index, hpa }: PrivatePage): Outcome {
  const base = 'private to the guest'
  if (file === null) {
    return { state: 'unmapped', reason: `${base}, but its guest_memfd was closed` }
  }
  const where = `page ${index} of the guest_memfd at ${hex(file)}`
  if (hpa === null)
    return { state: 'unmapped', reason: `${base}: ${where}, which was never touched` }
  return { state: 'mapped', reason: `${base}: ${where}`, hpa, pageSize: PAGE_SIZE }
}

/** State and reason of a walk that started in a memslot. */
export function outcomeOf(vm: Vm, slot: Memslot, { address, end, steps }: PageWalk): Outcome {
  // The upper half is the kernel's, whose tables every process shares.
  if (address >= 1n << BigInt(11 + 9 * vm.userSpace.rules.levels)) {
    const reason = `memslot ${slotName(slot)} leads to hva ${hex(address)}, which is no user address: the memslot is damaged`
    return { state: 'unmapped', reason }
  }
  const loop = repeatedTable(steps)
  if (loop !== undefined) {
    const table = hex(loop.entryAt - (loop.entryAt % PAGE_SIZE))
    const reason = `the ${loop.name} table at ${table} is its own parent: the page table is damaged`
    return { state: 'unmapped', reason }
  }
  switch (end.kind) {
    case 'page': {
      const size = formatSize(end.pageSize)
      const reason = end.protNone ? protNoneReason(vm, address, size) : `mapped by a ${size} page`
      return { state: 'mapped', reason, hpa: end.hpa, pageSize: end.pageSize }
    }
    case 'swap': {
      const low = Number(end.value & 0xffffffffn)
      const entry = vm.linux.swap.format.decode(low, Number(end.value >> 32n))
      const inPage = Number(address % BigInt(end.pageSize))
      const outcome = swapOutcome(vm, entry, inPage, end.pageSize)
      if (entry.kind === 'swap' || entry.kind === 'nonlinear' || entry.kind === 'untold') {
        return outcome
      }
      // What a special type means is worked out, so it is told from what.
      const why = vm.linux.swap.format.reasonFor(entry.type)
      return { ...outcome, reason: `${outcome.reason} (${why})` }
    }
    case 'empty':
      return { state: 'unmapped', reason: emptyReason(vm, address, steps.at(-1)?.name ?? '') }
    case 'bad': {
      const step = steps.at(-1)
      const where =
        step === undefined ? '' : ` ${step.name} ${hex(step.value)} at ${hex(step.entryAt)}`
      return { state: 'unmapped', reason: `the entry${where} cannot be: the page table is damaged` }
    }
    case 'not-in-dump': {
      const reason = `the page table at ${hex(end.table)} is not in the dump: ${end.missing.detail}`
      return { state: 'not-in-dump', reason }
    }
    case 'non-canonical':
      return { state: 'unmapped', reason: `${hex(address)} is no address of x86-64` }
  }
}

function protNoneReason(vm: Vm, address: bigint, size: string): string {
  const how = vm.linux.host.rules.inverts ? '; its frame number is stored inverted' : ''
  const vma = vmaOf(vm, address).found
  const mayAccess = vma === null ? undefined : vma.protection.slice(0, 3) !== '---'
  const why =
    mayAccess === undefined
      ? 'PROT_NONE'
      : mayAccess
        ? 'PROT_NONE set by NUMA balancing, to see who uses it next'
        : 'PROT_NONE by mprotect'
  return `mapped by a ${size} page that the processor may not use now: ${why}${how}`
}

function emptyReason(vm: Vm, address: bigint, level: string): string {
  const { found: vma, problem } = vmaOf(vm, address)
  const base = `never touched, or given back: the ${level} entry is empty`
  if (problem !== null) return base
  if (vma === null) return `no entry at ${level} level, and no VMA covers ${hex(address)}`
  const isShared = vma.protection.endsWith('s')
  return isShared
    ? `${base}; the memory is shared (${vma.file ?? 'anonymous'}), so its page can be in the page cache or in swap without an entry here`
    : base
}

/** The first entry that was read from a table which the walk had gone through before. Linux builds no such tables. */
function repeatedTable(steps: PageWalk['steps']): WalkStep | undefined {
  const tableOf = ({ entryAt }: WalkStep) => Math.floor(entryAt / PAGE_SIZE)
  return steps.find((step, i) =>
    steps.slice(0, i).some((above) => tableOf(above) === tableOf(step)),
  )
}

/** `offset` is where the address lies in the `size` bytes that the entry stands for. */
function swapOutcome(vm: Vm, entry: SwapEntry, offset: number, size: number): Outcome {
  const page = Math.floor(offset / PAGE_SIZE)
  const inPage = offset % PAGE_SIZE
  switch (entry.kind) {
    case 'swap':
      return swappedOutcome(vm, entry.type, entry.offset + page, inPage)
    case 'migration': {
      const hpa = (entry.pfn + page) * PAGE_SIZE + inPage
      const reason = `the host was moving the page away from ${hex(hpa)}`
      return { state: 'migrating', reason, hpa }
    }
    case 'hwpoison': {
      const hpa = (entry.pfn + page) * PAGE_SIZE + inPage
      const what =
        size === PAGE_SIZE
          ? `frame ${hex(entry.pfn)}`
          : `the ${formatSize(size)} page at ${hex(entry.pfn * PAGE_SIZE)}`
      return { state: 'poisoned', reason: `a memory error took ${what} out of use`, hpa }
    }
    case 'device-private': {
      const reason = `the page is in a device's memory, frame ${hex(entry.pfn + page)}`
      return { state: 'device-private', reason }
    }
    case 'device-exclusive': {
      // The page stays where it is; only the processor may not use it (Documentation/mm/hmm.rst).
      const hpa = (entry.pfn + page) * PAGE_SIZE + inPage
      return { state: 'device-private', reason: `the page at ${hex(hpa)} is lent to a device`, hpa }
    }
    case 'marker': {
      const isPoison = entry.marks.includes('poisoned')
      const marks = entry.marks.join(', ') || `value ${entry.offset}`
      const reason = `no page; the kernel left a marker: ${marks}`
      return { state: isPoison ? 'poisoned' : 'marker', reason }
    }
    case 'nonlinear': {
      const reason = `page ${entry.offset} of the mapped file, put there by remap_file_pages, is not in memory here`
      return { state: 'unmapped', reason }
    }
    case 'untold':
      return {
        state: 'not-in-dump',
        reason: `not in memory, and where it is the dump does not tell: ${entry.problem}`,
      }
    case 'unknown':
      return {
        state: 'unmapped',
        reason: `the entry has swap type ${entry.type}, which this kernel does not use: the page table is damaged`,
      }
  }
}

/** Device and swap cache are told as far as the dump has them; type and offset are in the entry itself. */
function swappedOutcome(vm: Vm, type: number, offset: number, inPage: number): Outcome {
  const { found, problem } = look('where that is', () => vm.linux.swap.place(type, offset))
  if (found === null) {
    const swap = { type, offset, path: null, cachedAt: null }
    const reason = `swapped to device ${type} at offset ${offset}; ${problem ?? ''}`
    return { state: 'swapped', reason, swap }
  }
  const cachedAt = found.cachedAt === null ? null : found.cachedAt + inPage
  const cached = cachedAt === null ? '' : `; still in the swap cache at ${hex(cachedAt)}`
  const reason =
    found.path === null
      ? `swapped to offset ${offset} of device ${type}, which the host does not have`
      : `swapped to ${found.path} at offset ${offset}${cached}`
  return { state: 'swapped', reason, swap: { ...found, cachedAt } }
}
