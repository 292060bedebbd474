// SPDX-License-Identifier: GPL-2.0-or-later
// From a guest physical address to its host page: slot, walk, and what the last entry says.

import { PAGE_SIZE } from '../dump/format.ts'
import { FaultError } from '../errors.ts'
import { type Memslot, slotName } from '../kvm/memslots/memslot.ts'
import { type Vm } from '../kvm/vm.ts'
import { type Page } from '../linux/page.ts'
import { type SwapPlace } from '../linux/swap/swap.ts'
import { type Vma } from '../linux/vma.ts'
import { type PageWalk } from '../paging/walk.ts'
import { crashText } from './crashtext.ts'
import { contentOf } from './content.ts'
import { translationJson, type TranslationJson } from './json.ts'
import { look, vmaOf, type Looked } from './look.ts'
import { noSlot, outcomeOf, privateOutcome, type Outcome } from './outcome.ts'
import {
  type ContentPlace,
  type Subject,
  type Translated,
  type TranslationState,
} from './translation.ts'

/**
 * Translates one guest physical address of a virtual machine (address space 0). An address that has no page is an
 * answer with its reason, not an error. Throws TaskError when the virtual machine has no memory to ask about.
 */
export function translate(vm: Vm, gpa: number): Translation {
  vm.checkAlive()
  const slot = vm.slotOf(gpa)
  if (slot === undefined) return new Translation(vm, gpa, null, null, noSlot(vm, gpa))
  const hva = slot.hva + BigInt(gpa - slot.gpa)
  let walked: PageWalk
  try {
    const own = vm.privatePage(gpa)
    if (own !== null) return new Translation(vm, gpa, slot, null, privateOutcome(own))
    walked = vm.userSpace.walk(hva)
  } catch (error) {
    // What no dump could have is damage, not a gap.
    if (!(error instanceof FaultError) || !error.isGap) throw error
    return new Translation(vm, gpa, slot, null, { state: 'not-in-dump', reason: error.message })
  }
  return new Translation(vm, gpa, slot, walked, outcomeOf(vm, slot, walked))
}

/**
 * The answer for one guest physical address. Immutable; VMA and page are looked up when first asked for. What each fact
 * is, `TranslationFacts` says.
 */
export class Translation implements Translated {
  readonly subject: Subject
  readonly gpa: number
  readonly state: TranslationState
  readonly reason: string
  readonly hva: bigint | null
  readonly hpa: number | null
  readonly pageSize: number | null
  readonly slot: Memslot | null
  readonly walk: PageWalk | null
  readonly swap: SwapPlace | null
  /** The virtual machine. */
  readonly vm: Vm
  /** What of the answer rests on other ways than the usual, because pages are missing; empty for a whole dump. */
  readonly salvaged: readonly string[]
  #vma: Looked<Vma> | undefined
  #page: Looked<Page> | undefined
  #content: ContentPlace | undefined

  /** @internal */
  constructor(vm: Vm, gpa: number, slot: Memslot | null, walk: PageWalk | null, outcome: Outcome) {
    const { task } = vm
    this.vm = vm
    this.salvaged = Object.freeze([
      ...vm.salvaged,
      ...(slot?.salvaged === undefined ? [] : [`memslot ${slotName(slot)}: ${slot.salvaged}`]),
    ])
    this.subject = { pid: task?.pid ?? null, comm: task?.comm ?? null, vmName: vm.name }
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

  /** The VMA of the host virtual address, or null when there is none or it cannot be read: see `remarks`. */
  get vma(): Vma | null {
    return this.#lookAtVma().found
  }

  /** The `struct page` of the host frame, or null when there is no frame or it cannot be read: see `remarks`. */
  get page(): Page | null {
    return this.#lookAtPage().found
  }

  /**
   * Where the guest's bytes at this address can be read, or why they cannot: `vm.read(gpa, length)` reads them from
   * there. Tried when first asked for: the page is read, and decompressed when it is in zram.
   */
  get content(): ContentPlace {
    return (this.#content ??= contentOf(this.vm, this.gpa))
  }

  /** Why VMA or page could not be read although they should be there, one sentence each. */
  get remarks(): readonly string[] {
    return [this.#lookAtVma().problem, this.#lookAtPage().problem].filter((text) => text !== null)
  }

  #lookAtVma(): Looked<Vma> {
    return (this.#vma ??= vmaOf(this.vm, this.hva))
  }

  #lookAtPage(): Looked<Page> {
    const { hpa, vm } = this
    return (this.#page ??= look('the struct page of the frame', () =>
      hpa === null ? null : vm.linux.pages.at(Math.floor(hpa / PAGE_SIZE)),
    ))
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
