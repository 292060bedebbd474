// SPDX-License-Identifier: GPL-2.0-or-later
// Memslots of a virtual machine of which pages are missing: what can still be read, and what stands for the rest.

import { hex } from '../../bytes/hex.ts'
import { FaultError, ifThere } from '../../errors.ts'
import { layout, optional, uint } from '../../types/layout.ts'
import {
  inOrder,
  type LostMemslot,
  type Memslot,
  memslotList,
  type MemslotList,
} from './memslot.ts'
import { type MemslotHost, type SlotTrace, type SlotForm } from './slotform.ts'
import { type LostSlot, type Twins, twinsOf } from './twins.ts'

/**
 * The frames below 1 MiB where, on a PC, memory can be that only system management mode sees (0xa0000 to 0xbffff). A
 * slot of the other space that reaches into them can be larger than the lost one.
 */
const SMM_GFNS = [0xa0, 0xc0] as const

/** One address space as far as it can be read. */
interface SpaceLeft {
  readonly addressSpace: number
  readonly readable: readonly Memslot[]
  readonly lost: readonly LostSlot[]
  /** The first page that was missing on the way to the slots. */
  readonly fault: FaultError | undefined
}

/** What is needed to read one slot. */
type ReadSlot = (addressSpace: number, at: bigint) => Memslot

/**
 * Reads the memslots of a `struct kvm` by every way that is left. Each slot that was not found in the usual way says
 * so; those that are lost are listed. Throws `first`, the fault that made this necessary, when nothing is left.
 */
export function salvageSlots(
  host: MemslotHost,
  era: SlotForm,
  read: ReadSlot,
  kvm: bigint,
  addressSpaces: number,
  first: FaultError,
): MemslotList {
  const spaces = Array.from({ length: addressSpaces }, (_, addressSpace) =>
    whatIsLeft(era, read, kvm, addressSpace),
  )
  const groups = spaces.map(({ lost, readable }, i) => {
    const others = spaces.filter((_, other) => other !== i).flatMap((space) => space.readable)
    return twinsOf(lost, readable, others)
  })
  const proof = proofOf(spaces, groups, pagesOf(host, kvm))
  const slots: Memslot[] = []
  const lost: LostMemslot[] = []
  for (const [i, space] of spaces.entries()) {
    const { addressSpace } = space
    const found = [...space.readable]
    for (const group of groups[i] ?? []) {
      const stand = proof !== null || addressSpace === 0 ? group.slots : []
      // Memory that only system management mode sees must not be taken for the guest's.
      const used = proof === null ? stand.filter((slot) => !touchesSmm(slot)) : stand
      for (const twin of used) found.push(inPlaceOf(group.lost, twin, found, addressSpace, proof))
      lost.push(...lostOf(group.lost, used.length, found, addressSpace))
    }
    const { fault } = space
    if (fault !== undefined && found.length === 0 && addressSpace === 0) {
      for (const twin of spaces.flatMap(({ readable }) => readable)) {
        if (!twin.invalid && !touchesSmm(twin)) found.push(inPlaceOfAny(twin, fault))
      }
    }
    if (fault !== undefined && proof === null) {
      // Nobody can say how many there were.
      const reason = fault.message
      lost.push({ addressSpace, id: null, addresses: [], reason })
    }
    slots.push(...inOrder(found))
  }
  if (!slots.some((slot) => slot.addressSpace === 0)) throw first
  const isSpaceLeft = spaces[0]?.lost.length === 0 && spaces[0].fault === undefined
  return memslotList(slots, lost, proof !== null || isSpaceLeft)
}

/** Pages of all slots when every lost one has another in its place and all together are as many as KVM counts. */
function proofOf(
  spaces: readonly SpaceLeft[],
  groups: readonly (readonly Twins[])[],
  total: number | undefined,
): number | null {
  const all = groups.flat()
  if (all.some(({ lost, slots }) => lost.length !== slots.length)) return null
  const slots = [...spaces.flatMap(({ readable }) => readable), ...all.flatMap((one) => one.slots)]
  return slots.reduce((sum, slot) => sum + slot.npages, 0) === total ? total : null
}

function whatIsLeft(era: SlotForm, read: ReadSlot, kvm: bigint, addressSpace: number): SpaceLeft {
  const { traces, fault } = era.remains(kvm, addressSpace)
  const readable = new Map<bigint, Memslot>()
  const missing: { trace: SlotTrace; reason: string }[] = []
  for (const trace of traces) {
    const slot = ifThere(() => read(addressSpace, trace.address))
    if (slot instanceof FaultError) missing.push({ trace, reason: slot.message })
    else if (slot.npages === 0) continue
    else
      readable.set(trace.address, trace.how === undefined ? slot : { ...slot, salvaged: trace.how })
  }
  const at = (addresses: readonly bigint[]) =>
    addresses.map((one) => readable.get(one)).filter((slot) => slot !== undefined)
  const lost = missing.map(({ trace, reason }): LostSlot => {
    const hvasBelow = at(trace.hvaBelow).map((slot) => slot.hva)
    const hvasAbove = at(trace.hvaAbove).map((slot) => slot.hva)
    return {
      address: trace.address,
      ids: trace.ids,
      gfns: [
        Math.max(0, ...at(trace.below).map((slot) => slot.baseGfn + slot.npages)),
        Math.min(Infinity, ...at(trace.above).map((slot) => slot.baseGfn)),
      ],
      hvas: [
        hvasBelow.reduce((most, hva) => (hva > most ? hva : most), 0n),
        hvasAbove.reduce((least, hva) => (hva < least ? hva : least), 1n << 64n),
      ],
      reason,
    }
  })
  return { addressSpace, readable: [...readable.values()], lost, fault }
}

/** kvm.nr_memslot_pages (since 5.17): the pages of all slots of all address spaces. */
function pagesOf({ types, space }: MemslotHost, kvm: bigint): number | undefined {
  const counts = layout(types, 'kvm', { pages: optional(uint('nr_memslot_pages')) })
  const pages = ifThere(() => counts.at(space, kvm).pages)
  return pages instanceof FaultError ? undefined : pages
}

function touchesSmm(slot: Memslot): boolean {
  return slot.baseGfn < SMM_GFNS[1] && slot.baseGfn + slot.npages > SMM_GFNS[0]
}

/** The lowest number that a lost slot can have beside those that are known; null when nothing tells. */
function idOf(lost: LostSlot, known: readonly Memslot[]): number | null {
  return lost.ids().find((id) => known.every((slot) => slot.id !== id)) ?? null
}

function inPlaceOf(
  lost: readonly LostSlot[],
  twin: Memslot,
  known: readonly Memslot[],
  addressSpace: number,
  proof: number | null,
): Memslot {
  const [one, another] = lost
  const id = one !== undefined && another === undefined ? idOf(one, known) : null
  const places = lost.map(({ address }) => hex(address)).join(', ')
  const which =
    another === undefined
      ? `its kvm_memory_slot at ${places} is not in the dump`
      : `it is one of those at ${places}, which are not in the dump`
  const check =
    proof === null
      ? 'not verified: memory that only system management mode sees would make a difference'
      : `verified: all slots together have the ${proof} pages of kvm.nr_memslot_pages`
  const salvaged = `${which}; slot ${twin.id} of address space ${twin.addressSpace} stands for it (${check})`
  return { ...twin, addressSpace, id: id ?? -1, salvaged }
}

/** A slot of address space 0 when nothing of that can be read. */
function inPlaceOfAny(twin: Memslot, fault: FaultError): Memslot {
  const salvaged =
    `no memslot of address space 0 can be read (${fault.message}); slot ${twin.id} of address space ` +
    `${twin.addressSpace} stands for one (not verified: memory that only system management mode sees would make a difference)`
  return { ...twin, addressSpace: 0, id: -1, salvaged }
}

/** Those of a group that nothing stands for. */
function lostOf(
  group: readonly LostSlot[],
  found: number,
  known: readonly Memslot[],
  addressSpace: number,
): LostMemslot[] {
  const all = group.map(({ address }) => address)
  return group.slice(found).map((one): LostMemslot => {
    const { reason } = one
    return found === 0
      ? { addressSpace, id: idOf(one, known), addresses: [one.address], reason }
      : { addressSpace, id: null, addresses: all, reason }
  })
}
