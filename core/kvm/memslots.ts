// SPDX-License-Identifier: GPL-2.0-or-later
// Reads the memslots of virtual machines, in whatever form this kernel keeps them.

import { hex } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import {
  CorruptError,
  type DumpError,
  FaultError,
  MissingError,
  UnsupportedError,
  ifThere,
} from '../errors.ts'
import { address, int, layout, u64, uint } from '../types/layout.ts'
import { resolve } from '../types/type.ts'
import { inOrder, type Memslot, memslotList, type MemslotList } from './memslot.ts'
import { slotEra, type SlotEra } from './sloteras.ts'
import { type MemslotHost } from './slotremains.ts'
import { salvageSlots } from './slotsalvage.ts'

// KVM_MEM_* of include/uapi/linux/kvm.h; from bit 16 up KVM's own, include/linux/kvm_host.h.
const flagNames: readonly (readonly [number, string])[] = [
  [0, 'LOG_DIRTY_PAGES'],
  [1, 'READONLY'],
  [2, 'GUEST_MEMFD'],
  [16, 'INVALID'],
  [17, 'GMEM_ONLY'],
]
const INVALID = 1 << 16

/** The memslots of one host's virtual machines. */
export class Memslots {
  readonly #host: MemslotHost
  readonly #kvm
  readonly #slot
  readonly #era: SlotEra
  readonly #addressSpaces: number

  constructor(host: MemslotHost) {
    this.#host = host
    const { types } = host
    this.#kvm = layout(types, 'kvm', { memslots: address('memslots') })
    // Since 4.2 an array with one pointer to a set of memslots for each address space.
    const sets = types.struct('kvm')?.member('memslots')
    const type = sets && resolve(sets.type)
    if (type?.kind !== 'array' || resolve(type.element).kind !== 'pointer') throw unknownEra(host)
    this.#addressSpaces = type.length
    this.#slot = layout(types, 'kvm_memory_slot', {
      baseGfn: uint('base_gfn'),
      npages: uint('npages'),
      hva: u64('userspace_addr'),
      flags: uint('flags'),
      id: int('id'),
    })
    const era = slotEra(host)
    if (era === undefined) throw unknownEra(host)
    this.#era = era
  }

  /**
   * The memslots of a `struct kvm` in the order of address space and gfn. Empty slots are left out. When pages are
   * missing, those that can be had by another way are marked as salvaged, and the others are told in `lost`.
   * Throws CorruptError when their number or their order cannot be, FaultError when nothing can be read.
   */
  of(kvm: bigint): MemslotList {
    try {
      return memslotList(this.#all(kvm))
    } catch (error) {
      if (!(error instanceof FaultError) || !error.isGap) throw error
      const read = (addressSpace: number, at: bigint) => this.#read(addressSpace, at)
      return salvageSlots(this.#host, this.#era, read, kvm, this.#addressSpaces, error)
    }
  }

  #all(kvm: bigint): Memslot[] {
    const { space } = this.#host
    const { memslots } = this.#kvm.at(space, kvm)
    const slots: Memslot[] = []
    for (let addressSpace = 0; addressSpace < this.#addressSpaces; addressSpace++) {
      const set = space.u64(memslots + BigInt(addressSpace * 8))
      if (set === 0n) continue
      const ofSet = [...this.#era.slots(set)].map((at) => this.#read(addressSpace, at))
      slots.push(...inOrder(ofSet.filter((slot) => slot.npages > 0)))
    }
    return slots
  }

  /** True when the first set of memslots is not there: KVM was torn down, or the address is no `struct kvm`. */
  areMissing(kvm: bigint): boolean {
    return ifThere(() => this.#host.space.u64(this.#kvm.at(this.#host.space, kvm).memslots)) === 0n
  }

  #read(addressSpace: number, at: bigint): Memslot {
    const { baseGfn, npages, hva, flags, id } = this.#slot.at(this.#host.space, at)
    // 52 bits of guest physical address, less the 12 of a page.
    if (baseGfn + npages > 2 ** 40) {
      const problem = `gfn ${hex(baseGfn)} and ${npages} pages are more than a guest can have`
      throw new CorruptError('kvm_memory_slot', at, problem)
    }
    return {
      addressSpace,
      id,
      baseGfn,
      npages,
      gpa: baseGfn * PAGE_SIZE,
      size: npages * PAGE_SIZE,
      hva,
      flags: flagNames.filter(([bit]) => ((flags >>> bit) & 1) === 1).map(([, name]) => name),
      flagBits: flags,
      invalid: (flags & INVALID) !== 0,
      address: at,
    }
  }
}

function unknownEra(host: MemslotHost): DumpError {
  const why = host.types.whyMissing?.('kvm.memslots')
  if (why !== undefined) return new MissingError('member', 'kvm.memslots', why)
  return new UnsupportedError(
    `kernel ${host.vmcoreinfo.release} keeps its memslots in a form that is not read yet: kvm_memslots has neither gfn_tree nor used_slots`,
    'memslots before 4.2',
  )
}
