// SPDX-License-Identifier: GPL-2.0-or-later
// From a guest physical address to its host page: slot, walk, and what the last entry says.

import { formatSize, hex } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { FaultError, TaskError } from '../errors.ts'
import { type Memslot } from '../kvm/memslot.ts'
import { type Vm } from '../kvm/vm.ts'
import { type Page } from '../linux/page.ts'
import { type SwapPlace } from '../linux/swap.ts'
import { type SwapEntry } from '../linux/swapentry.ts'
import { type Vma } from '../linux/vma.ts'
import { type PageWalk } from '../paging/walk.ts'
import { crashText } from './crashtext.ts'
import { translationJson, type TranslationJson } from './json.ts'
import { type Subject, type Translated, type TranslationState } from './translation.ts'

/** What the last entry of a walk comes to. */
interface Outcome {
  readonly state: TranslationState
  readonly reason: string
  readonly hpa?: number
  readonly pageSize?: number
  readonly swap?: SwapPlace
}

/**
 * Translates one guest physical address of a virtual machine (address space 0). An address that has no page is an
 * answer with its reason, not an error. Throws TaskError when the virtual machine has no memory to ask about.
 */
export function translate(vm: Vm, gpa: number): Translation {
  if (vm.mmAddress === 0n) {
    throw new TaskError(
      'no-vm',
      `failed to get information of qemu process: the virtual machine at ${hex(vm.address)} is being torn down`,
    )
  }
  const slot = vm.slotOf(gpa)
  if (slot === undefined) {
    return new Translation(vm, gpa, null, null, { state: 'no-slot', reason: noSlotReason(vm, gpa) })
  }
  const hva = slot.hva + BigInt(gpa - slot.gpa)
  let walked: PageWalk
  try {
    walked = vm.userSpace.walk(hva)
  } catch (error) {
    if (!(error instanceof FaultError)) throw error
    return new Translation(vm, gpa, slot, null, { state: 'not-in-dump', reason: error.message })
  }
  return new Translation(vm, gpa, slot, walked, outcomeOf(vm, walked))
}

/** The answer for one guest physical address. Immutable; VMA and page are looked up when first asked for. */
export class Translation implements Translated {
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
  /** The page walk with every entry, or null without a memslot. */
  readonly walk: PageWalk | null
  /** Where a swapped page is, else null. */
  readonly swap: SwapPlace | null
  /** The virtual machine. */
  readonly vm: Vm
  #vma: Vma | null | undefined
  #page: Page | null | undefined

  /** @internal */
  constructor(vm: Vm, gpa: number, slot: Memslot | null, walk: PageWalk | null, outcome: Outcome) {
    const { task } = vm
    this.vm = vm
    this.subject = { pid: task?.pid ?? -1, comm: task?.comm ?? '-', vmName: vm.name }
    this.gpa = gpa
    this.state = outcome.state
    this.reason = outcome.reason
    this.hva = slot === null ? null : slot.hva + BigInt(gpa - slot.gpa)
    this.hpa = outcome.hpa ?? null
    this.pageSize = outcome.pageSize ?? null
    this.slot = slot
    this.walk = walk
    this.swap = outcome.swap ?? null
    Object.freeze(this)
  }

  /** The VMA of the host virtual address, or null when there is none or the dump lacks it. */
  get vma(): Vma | null {
    if (this.#vma === undefined) this.#vma = vmaOf(this.vm, this.hva)
    return this.#vma
  }

  /** The `struct page` of the host frame, or null when there is no frame or the dump lacks it. */
  get page(): Page | null {
    this.#page ??=
      this.hpa === null
        ? null
        : (this.vm.linux.pages.find(Math.floor(this.hpa / PAGE_SIZE)) ?? null)
    return this.#page
  }

  /** The block that crash's qemu-vtop printed, then what is new. */
  toString(): string {
    // Crash makes its columns as wide as the end of the host's memory.
    return crashText(this, this.vm.linux.host.memory.source.endPfn * PAGE_SIZE)
  }

  /** Addresses as `0x…` texts, states and flags by name. */
  toJSON(): TranslationJson {
    return translationJson(this)
  }

  /** What console.log prints. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

function vmaOf(vm: Vm, hva: bigint | null): Vma | null {
  if (hva === null) return null
  try {
    return vm.linux.vmas.find(vm.mmAddress, hva) ?? null
  } catch (error) {
    if (error instanceof FaultError) return null
    throw error
  }
}

function noSlotReason(vm: Vm, gpa: number): string {
  // The first words are those of the crash extension.
  const base = `${gpa.toString(16)} has not been allocated`
  const gfn = Math.floor(gpa / PAGE_SIZE)
  const stale = vm.memslots.find(
    (slot) => slot.invalid && gfn >= slot.baseGfn && gfn < slot.baseGfn + slot.npages,
  )
  if (stale !== undefined) return `${base}: its memslot ${stale.id} was being deleted or moved`
  const normal = vm.memslots.filter((slot) => slot.addressSpace === 0)
  const below = normal.filter((slot) => slot.gpa + slot.size <= gpa).at(-1)
  const above = normal.find((slot) => slot.gpa > gpa)
  const hints = [
    below === undefined ? '' : `slot ${below.id} ends at ${hex(below.gpa + below.size - 1)}`,
    above === undefined ? '' : `slot ${above.id} begins at ${hex(above.gpa)}`,
  ].filter((hint) => hint !== '')
  return `${base}: no memslot holds it${hints.length > 0 ? ` (${hints.join(', ')})` : ''}`
}

function outcomeOf(vm: Vm, { address, end, steps }: PageWalk): Outcome {
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
      return swapOutcome(vm, entry, Math.floor(inPage / PAGE_SIZE), inPage % PAGE_SIZE)
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
  const vma = vmaOf(vm, address)
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
  const vma = vmaOf(vm, address)
  if (vma === null) return `no entry at ${level} level, and no VMA covers ${hex(address)}`
  const base = `never touched, or given back: the ${level} entry is empty`
  const isShared = vma.protection.endsWith('s')
  return isShared
    ? `${base}; the memory is shared (${vma.file ?? 'anonymous'}), so its page can be in the page cache or in swap without an entry here`
    : base
}

/** `page` and `inPage` are the offset within what one entry covers: pages, and bytes in the page. */
function swapOutcome(vm: Vm, entry: SwapEntry, page: number, inPage: number): Outcome {
  switch (entry.kind) {
    case 'swap': {
      const place = vm.linux.swap.place(entry.type, entry.offset + page)
      const swap = place.cachedAt === null ? place : { ...place, cachedAt: place.cachedAt + inPage }
      const where = swap.path ?? `device ${swap.type}, which the host does not have`
      const cached =
        swap.cachedAt === null ? '' : `; still in the swap cache at ${hex(swap.cachedAt)}`
      return {
        state: 'swapped',
        reason: `swapped to ${where} at offset ${swap.offset}${cached}`,
        swap,
      }
    }
    case 'migration': {
      const hpa = (entry.pfn + page) * PAGE_SIZE + inPage
      return {
        state: 'migrating',
        reason: `the host was moving the page away from ${hex(hpa)}`,
        hpa,
      }
    }
    case 'hwpoison': {
      const hpa = (entry.pfn + page) * PAGE_SIZE + inPage
      const frame = hex(entry.pfn + page)
      return { state: 'poisoned', reason: `a memory error took frame ${frame} out of use`, hpa }
    }
    case 'device-private':
    case 'device-exclusive': {
      const what = entry.kind === 'device-private' ? "in a device's memory" : 'lent to a device'
      return { state: 'device-private', reason: `the page is ${what}, frame ${hex(entry.pfn)}` }
    }
    case 'marker': {
      const isPoison = entry.marks.includes('poisoned')
      const marks = entry.marks.join(', ') || `value ${entry.offset}`
      const reason = `no page; the kernel left a marker: ${marks}`
      return { state: isPoison ? 'poisoned' : 'marker', reason }
    }
    case 'unknown':
      return {
        state: 'unmapped',
        reason: `the entry has swap type ${entry.type}, which this kernel does not use: the page table is damaged`,
      }
  }
}
