// SPDX-License-Identifier: GPL-2.0-or-later
// The compiled mappings of a virtual machine: by guest physical and by host virtual address, each made once.

import { FaultError } from '../errors.ts'
import { type Memslot } from '../kvm/memslots/memslot.ts'
import { type Vm } from '../kvm/vm.ts'
import { translate } from '../translate/translate.ts'
import { type UserSpace } from '../space/uva.ts'
import { GuestPages, type SwappedPage } from './guest.ts'
import { type MappedSlot, Mapping } from './mapping.ts'
import { MAPPED, NO_SLOT, NOT_IN_DUMP, stateCode, UNMAPPED, WALK } from './states.ts'
import { wasmKernels, type WasmKernels } from './wasm.ts'

/** One address that the table cannot tell of. */
export interface Walked {
  readonly hva: bigint | null
  readonly hpa: number | null
  readonly state: number
  readonly pageSize: number | null
  readonly slot: number
}

/** What a run of translations needs. */
export interface Engine {
  readonly mapping: Mapping
  readonly wasm: WasmKernels
  /** Answers for an address, below 2^64, that the table cannot tell of. */
  walk(address: bigint): Walked
  /** Where a page is that the table has as swapped; its region must have been read. */
  swapped(address: bigint): SwappedPage | undefined
}

/** Page numbers of the lower half of 48 bits: processes have more only where they ask for it. */
const USUAL_HVA_PAGES = 2 ** 35

const byGpa = new WeakMap<Vm, Engine>()
const byHva = new WeakMap<Vm, Engine>()

/** The mapping from guest physical addresses. Throws TaskError when the virtual machine has no memory to ask about. */
export function gpaEngine(vm: Vm): Engine {
  vm.checkAlive()
  return made(byGpa, vm, () => {
    const slots = vm.memslots
      .filter((slot) => slot.addressSpace === 0 && !slot.invalid)
      .map((slot) => mappedSlot(vm, slot))
    const outside = vm.memslots.isWhole ? NO_SLOT : NOT_IN_DUMP
    return engineOf(vm, slots, outside, (gpa) => {
      const { hva, hpa, state, pageSize, slot } = translate(vm, Number(gpa))
      return { hva, hpa, state: stateCode(state), pageSize, slot: slot?.id ?? -1 }
    })
  })
}

/** The mapping from host virtual addresses of the process, whatever is there. */
export function hvaEngine(vm: Vm): Engine {
  vm.checkAlive()
  return made(byHva, vm, () => {
    const all = [{ gfn: 0, npages: USUAL_HVA_PAGES, delta: 0n, id: -1 }]
    return engineOf(vm, all, WALK, (hva) => {
      const { hpa, pageSize } = mappedPage(vm, hva) ?? { hpa: null, pageSize: null }
      return { hva, hpa, state: hpa === null ? UNMAPPED : MAPPED, pageSize, slot: -1 }
    })
  })
}

/** The page at a host virtual address of the VMM, or undefined. The kernel's half is no memory of a process. */
export function mappedPage(
  { userSpace }: Vm,
  hva: bigint,
): { hpa: number; pageSize: number } | undefined {
  if (hva >= 1n << BigInt(11 + 9 * userSpace.rules.levels)) return undefined
  const { end } = userSpace.walk(hva)
  return end.kind === 'page' ? end : undefined
}

/** A memslot as the mapping has it. */
export function mappedSlot(vm: Vm, slot: Memslot): MappedSlot {
  const { baseGfn: gfn, npages, id } = slot
  const mapped = { gfn, npages, delta: BigInt.asUintN(64, slot.hva - BigInt(slot.gpa)), id }
  if (!slot.flags.includes('GUEST_MEMFD')) return mapped
  const scanPrivate: MappedSlot['scanPrivate'] = (gpa, pages, visit) => {
    vm.scanPrivate(slot, gpa, pages, visit)
  }
  return { ...mapped, scanPrivate }
}

function made(engines: WeakMap<Vm, Engine>, vm: Vm, make: () => Engine): Engine {
  const known = engines.get(vm)
  if (known !== undefined) return known
  const engine = make()
  engines.set(vm, engine)
  return engine
}

function engineOf(
  vm: Vm,
  slots: readonly MappedSlot[],
  outside: number,
  walk: Engine['walk'],
): Engine {
  const pages = new GuestPages(vm, userSpaceOf(vm), slots)
  const mapping = new Mapping(slots, outside, pages)
  return {
    mapping,
    wasm: wasmKernels(mapping.memory.wasm, mapping.lanes),
    walk,
    swapped: (address) => {
      const low = Number(address & 0xffffffffn)
      const word = mapping.wordOf(low, Number(address >> 32n))
      return word === undefined ? undefined : pages.swappedPage(word)
    },
  }
}

/** Undefined when the dump lacks what tells where the tables are. */
function userSpaceOf(vm: Vm): UserSpace | undefined {
  try {
    return vm.userSpace
  } catch (error) {
    // What no dump could have is damage, not a gap.
    if (!(error instanceof FaultError) || !error.isGap) throw error
    return undefined
  }
}
