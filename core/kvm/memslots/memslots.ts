// SPDX-License-Identifier: GPL-2.0-or-later
// Reads the memslots of virtual machines, in whatever form this kernel keeps them.

import { hex } from '../../bytes/hex.ts'
import { PAGE_SIZE } from '../../dump/format.ts'
import {
  CorruptError,
  type DumpError,
  FaultError,
  MissingError,
  UnsupportedError,
  ifThere,
} from '../../errors.ts'
import { int, layout, optional, u64, uint } from '../../types/layout.ts'
import { type Damage, ifSound, isDamage, isGap } from '../../linux/partial.ts'
import { type Alias, aliasReader, withAliases } from './aliases.ts'
import { internalSlots, type InternalSlot } from './internalslots.ts'
import {
  inOrder,
  type LostMemslot,
  type Memslot,
  memslotList,
  type MemslotList,
} from './memslot.ts'
import { slotEra, type SlotEra } from './sloteras.ts'
import { slotFlags, type SlotFlags } from './slotflags.ts'
import { generationReader } from './slotgeneration.ts'
import { type MemslotHost } from './slotform.ts'
import { salvageSlots } from './slotsalvage.ts'
import { type SlotSets, slotSets } from './slotsets.ts'

/** The memslots of one host's virtual machines. */
export class Memslots {
  readonly #host: MemslotHost
  readonly #sets: SlotSets
  readonly #era: SlotEra
  readonly #slot
  readonly #flags: SlotFlags
  readonly #internal: (id: number) => InternalSlot | undefined
  readonly #aliases: ((kvm: bigint) => Alias[]) | undefined
  readonly #generation: (set: bigint) => bigint | undefined

  /** Throws UnsupportedError when this kernel keeps its memslots in a form that is not known. */
  constructor(host: MemslotHost) {
    this.#host = host
    const { types } = host
    const sets = slotSets(host)
    const era = sets && slotEra(host, sets)
    if (sets === undefined || era === undefined) throw unknownEra(host)
    this.#sets = sets
    this.#era = era
    this.#slot = layout(types, 'kvm_memory_slot', {
      baseGfn: uint('base_gfn'),
      npages: uint('npages'),
      hva: u64('userspace_addr'),
      // A long until 3.4 or so; only 32 bits of it have a meaning.
      flags: uint('flags'),
      // Before 2.6.36 the place in the array is the number.
      id: optional(int('id')),
    })
    this.#flags = slotFlags(types)
    this.#internal = internalSlots(types)
    this.#aliases = aliasReader(host)
    this.#generation = generationReader(host)
  }

  /**
   * The memslots of a `struct kvm` in the order of address space and gfn. Empty slots are left out. When pages are
   * missing, those that can be had by another way are marked as salvaged, and the others are told in `lost`; so are
   * those that damage hides. Throws CorruptError when their number or their order cannot be, or the error that was met
   * when none of address space 0 can be read.
   */
  of(kvm: bigint): MemslotList {
    const list = this.#own(kvm)
    const remarks = this.#remarks(kvm)
    const aliases = ifThere(() => this.#aliases?.(kvm) ?? [])
    if (aliases instanceof FaultError) {
      const lost = { addressSpace: 0, id: null, addresses: [], reason: aliases.message }
      return memslotList(list, [...list.lost, lost], false, remarks)
    }
    const slots = aliases.length === 0 ? list : withAliases(list, aliases)
    return memslotList(slots, list.lost, list.isWhole, remarks)
  }

  #own(kvm: bigint): MemslotList {
    try {
      return this.#all(kvm)
    } catch (error) {
      if (!(error instanceof FaultError) || !error.isGap) throw error
      const read = (addressSpace: number, at: bigint) =>
        this.#read(addressSpace, at, () => this.#sets.at(kvm, addressSpace))
      return salvageSlots(this.#host, this.#era, read, kvm, this.#sets.addressSpaces, error)
    }
  }

  /** Throws FaultError when a page is missing: then there are other ways. */
  #all(kvm: bigint): MemslotList {
    const slots: Memslot[] = []
    const lost: LostMemslot[] = []
    let damage: Damage | undefined
    for (let addressSpace = 0; addressSpace < this.#sets.addressSpaces; addressSpace++) {
      const set = this.#sets.at(kvm, addressSpace)
      if (set === 0n) continue
      const ofSet: Memslot[] = []
      const note = (addresses: readonly bigint[], found: unknown) => {
        if (!isDamage(found)) return
        if (isGap(found)) throw found
        damage ??= found
        lost.push({ addressSpace, id: null, addresses, reason: found.message })
      }
      const end = ifSound(() => {
        for (const at of this.#era.slots(set)) {
          const slot = ifSound(() => this.#read(addressSpace, at, () => set))
          if (isDamage(slot)) note([at], slot)
          else if (slot.npages > 0) ofSet.push(slot)
        }
      })
      note([], end)
      slots.push(...inOrder(ofSet))
    }
    const isAny = slots.some((slot) => slot.addressSpace === 0)
    if (damage !== undefined && !isAny) throw damage
    return memslotList(
      slots,
      lost,
      lost.every((slot) => slot.addressSpace !== 0),
    )
  }

  /** What the generations of the sets say. */
  #remarks(kvm: bigint): string[] {
    const remarks: string[] = []
    for (let addressSpace = 0; addressSpace < this.#sets.addressSpaces; addressSpace++) {
      const generation = ifThere(() => {
        const set = this.#sets.at(kvm, addressSpace)
        return set === 0n ? undefined : this.#generation(set)
      })
      if (typeof generation !== 'bigint') continue
      if (!this.#era.generations(generation, addressSpace, this.#host.types)) continue
      remarks.push(
        `KVM was changing the memslots of address space ${addressSpace} when the host stopped ` +
          `(kvm_memslots.generation is ${hex(generation)}): some may be those from before the change`,
      )
    }
    return remarks
  }

  /** True when the first set of memslots is not there: KVM was torn down, or the address is no `struct kvm`. */
  areMissing(kvm: bigint): boolean {
    return ifThere(() => this.#sets.at(kvm, 0)) === 0n
  }

  #read(addressSpace: number, at: bigint, set: () => bigint): Memslot {
    const record = this.#slot.at(this.#host.space, at)
    const { baseGfn, npages, hva, flags } = record
    const id = record.id ?? this.#era.idOf?.(set(), at) ?? -1
    const internal = this.#internal(id)
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
      flags: this.#flags.names(flags),
      flagBits: flags,
      invalid: this.#flags.isInvalid(flags),
      address: at,
      ...(internal === undefined ? {} : { internal }),
    }
  }
}

function unknownEra(host: MemslotHost): DumpError {
  const why = host.types.whyMissing?.('kvm.memslots')
  if (why !== undefined) return new MissingError('member', 'kvm.memslots', why)
  return new UnsupportedError(
    `kernel ${host.vmcoreinfo.release} keeps its memslots in a form that is not known: kvm.memslots is neither an array ` +
      'nor a pointer, or none of kvm_memslots.gfn_tree, used_slots, nmemslots, id_to_index and kvm.nmemslots is there',
    'memslots of this kernel',
  )
}
