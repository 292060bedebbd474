// SPDX-License-Identifier: GPL-2.0-or-later
// Memslots: KVM's records of which run of guest frames is backed by which run of host virtual addresses.

import { hex } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { CorruptError, UnsupportedError } from '../errors.ts'
import { RbTrees } from '../linux/rbtree.ts'
import { type Space } from '../space/space.ts'
import { address, int, layout, pointer, u64, uint } from '../types/layout.ts'
import { resolve, type Types } from '../types/type.ts'

/** One memslot of a virtual machine. */
export interface Memslot {
  /** 0 is normal memory, 1 is what the guest sees in system management mode (SMM). */
  readonly addressSpace: number
  /** The slot's number as the VMM gave it. */
  readonly id: number
  /** The first guest frame. */
  readonly baseGfn: number
  /** The number of 4 KiB pages. */
  readonly npages: number
  /** The first guest physical address: baseGfn * 4096. */
  readonly gpa: number
  /** The size in bytes: npages * 4096. */
  readonly size: number
  /** The host virtual address of its first byte, in the VMM's process (`userspace_addr`). */
  readonly hva: bigint
  /** The flags by name, such as `READONLY`, `LOG_DIRTY_PAGES`, `GUEST_MEMFD`. */
  readonly flags: readonly string[]
  /** The flags as KVM keeps them. */
  readonly flagBits: number
  /** True while KVM is deleting or moving the slot; such a slot never matches an address. */
  readonly invalid: boolean
  /** The address of the `struct kvm_memory_slot`. */
  readonly address: bigint
}

// KVM_MEM_* of include/uapi/linux/kvm.h; from bit 16 up KVM's own, include/linux/kvm_host.h.
const flagNames: readonly (readonly [number, string])[] = [
  [0, 'LOG_DIRTY_PAGES'],
  [1, 'READONLY'],
  [2, 'GUEST_MEMFD'],
  [16, 'INVALID'],
  [17, 'GMEM_ONLY'],
]
const INVALID = 1 << 16

/** KVM_MEM_SLOTS_NUM of include/linux/kvm_host.h is SHRT_MAX. */
const SLOT_LIMIT = 32767

/** What of a host is needed to read memslots. */
interface MemslotHost {
  readonly types: Types
  readonly space: Space
  readonly vmcoreinfo: { readonly release: string }
}

/** The addresses of the `kvm_memory_slot`s of one set of memslots. */
type Era = (set: bigint) => Generator<bigint>

/** The memslots of one host's virtual machines. */
export class Memslots {
  readonly #host: MemslotHost
  readonly #kvm
  readonly #slot
  readonly #era: Era
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
    // Newest first. Told by presence: distributions carry these changes to older kernels.
    const era = eras.find(({ member }) => types.struct('kvm_memslots')?.member(member))
    if (era === undefined) throw unknownEra(host)
    this.#era = era.walk(host)
  }

  /**
   * The memslots of a `struct kvm` in the order of address space and gfn. Empty slots are left out.
   * Throws CorruptError when their number or their order cannot be.
   */
  of(kvm: bigint): Memslot[] {
    const { space } = this.#host
    const { memslots } = this.#kvm.at(space, kvm)
    const slots: Memslot[] = []
    for (let addressSpace = 0; addressSpace < this.#addressSpaces; addressSpace++) {
      const set = space.u64(memslots + BigInt(addressSpace * 8))
      if (set === 0n) continue
      const ofSet = [...this.#era(set)].map((at) => this.#read(addressSpace, at))
      slots.push(...inOrder(ofSet.filter((slot) => slot.npages > 0)))
    }
    return slots
  }

  /** True when the first set of memslots is not there: KVM was torn down, or the address is no `struct kvm`. */
  areMissing(kvm: bigint): boolean {
    return this.#host.space.u64(this.#kvm.at(this.#host.space, kvm).memslots) === 0n
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

/** Slots by gfn. KVM lets none overlap another (kvm_set_memory_region of virt/kvm/kvm_main.c). */
function inOrder(slots: readonly Memslot[]): Memslot[] {
  const sorted = [...slots].sort((a, b) => a.baseGfn - b.baseGfn)
  for (const [i, slot] of sorted.entries()) {
    const below = sorted[i - 1]
    if (below === undefined || slot.baseGfn >= below.baseGfn + below.npages) continue
    const problem = `slot ${slot.id} at gpa ${hex(slot.gpa)} overlaps slot ${below.id} at ${hex(below.gpa)}`
    throw new CorruptError('kvm_memory_slot', slot.address, problem)
  }
  return sorted
}

/** How the slots of a set are kept; `member` of kvm_memslots tells which. A new era is one more entry, newest first. */
const eras: readonly { member: string; walk: (host: MemslotHost) => Era }[] = [
  { member: 'gfn_tree', walk: treeEra },
  { member: 'used_slots', walk: arrayEra },
]

/**
 * Since 5.17 (and Debian's 6.1): a red-black tree by gfn. Each slot has two nodes, one for each of the two sets that KVM
 * switches between; `node_idx` of the active set, the one that kvm.memslots points at, says which is valid.
 */
function treeEra(host: MemslotHost): Era {
  const { space, types } = host
  const trees = new RbTrees(space, types)
  const set = layout(types, 'kvm_memslots', {
    top: pointer('gfn_tree.rb_node'),
    nodeIndex: int('node_idx'),
  })
  const slot = layout(types, 'kvm_memory_slot', { nodes: address('gfn_node') })
  const nodeSize = types.sizeOf('rb_node') ?? 24
  return function* (at) {
    const { top, nodeIndex } = set.at(space, at)
    if (nodeIndex !== 0 && nodeIndex !== 1) {
      throw new CorruptError('kvm_memslots.node_idx', at, `is ${nodeIndex}; wanted 0 or 1`)
    }
    const offset = BigInt(slot.offset('nodes') + nodeIndex * nodeSize)
    for (const node of trees.nodes(top, 'kvm_memslots.gfn_tree', SLOT_LIMIT)) yield node - offset
  }
}

/** From 4.0 to 5.16: an array in falling order of gfn, of which `used_slots` are in use. */
function arrayEra(host: MemslotHost): Era {
  const { space, types } = host
  const set = layout(types, 'kvm_memslots', {
    slots: address('memslots'),
    used: int('used_slots'),
  })
  const size = types.sizeOf('kvm_memory_slot') ?? 0
  return function* (at) {
    const { slots, used } = set.at(space, at)
    if (used < 0 || used > SLOT_LIMIT) {
      const problem = `is ${used}, but KVM allows ${SLOT_LIMIT} slots`
      throw new CorruptError('kvm_memslots.used_slots', at, problem)
    }
    for (let i = 0; i < used; i++) yield slots + BigInt(i * size)
  }
}

function unknownEra(host: MemslotHost): UnsupportedError {
  return new UnsupportedError(
    `kernel ${host.vmcoreinfo.release} keeps its memslots in a form that is not read yet: kvm_memslots has neither gfn_tree nor used_slots`,
    'memslots before 4.2',
  )
}
