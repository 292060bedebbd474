// SPDX-License-Identifier: GPL-2.0-or-later
// Dirty logging: which frames of a memslot the guest wrote to since its VMM last asked.

import { PAGE_SIZE } from '../dump/format.ts'
import { CorruptError, FaultError, ifThere, MissingError } from '../errors.ts'
import { layout, optional, pointer, uint } from '../types/layout.ts'
import { GfnSet } from './gfnset.ts'
import { type Memslot } from './memslots/memslot.ts'
import { type MemslotHost } from './memslots/slotform.ts'

/** KVM_DIRTY_RING_MAX_ENTRIES of include/linux/kvm_dirty_ring.h. */
const RING_LIMIT = 65536
/** KVM_MEM_MAX_NR_PAGES of include/linux/kvm_host.h. */
const PAGES_LIMIT = 2 ** 31
/** KVM_DIRTY_GFN_F_MASK: dirty, and not yet taken by the VMM. */
const TAKEN_OR_DIRTY = 3
const DIRTY = 1

/** vCPUs, each of which has a ring of its own, and those that are not in the dump. */
interface HaveRings extends Iterable<{ readonly index: number; readonly address: bigint }> {
  readonly lost: readonly string[]
}

/** Reads what was logged. */
export class DirtyLog {
  readonly #host: MemslotHost
  readonly #slot
  readonly #vcpu

  constructor(host: MemslotHost) {
    this.#host = host
    const { types } = host
    this.#slot = layout(types, 'kvm_memory_slot', {
      baseGfn: uint('base_gfn'),
      npages: uint('npages'),
      bitmap: optional(pointer('dirty_bitmap')),
    })
    // Since 5.11.
    this.#vcpu =
      types.struct('kvm_vcpu')?.member('dirty_ring') === undefined
        ? undefined
        : layout(types, 'kvm_vcpu', {
            pushed: uint('dirty_ring.dirty_index'),
            reset: uint('dirty_ring.reset_index'),
            size: uint('dirty_ring.size'),
            entries: pointer('dirty_ring.dirty_gfns'),
          })
  }

  /**
   * The frames of a slot that are logged as written, out of its bitmap and the rings of the vCPUs; null when KVM does
   * not log that slot. Throws FaultError when the bitmap is not in the dump, MissingError when its place is not known.
   */
  of(slot: Memslot, vcpus: () => HaveRings): GfnSet | null {
    const { space } = this.#host
    const { baseGfn, npages, bitmap = 0n } = this.#slot.at(space, slot.address)
    if (npages >= PAGES_LIMIT) {
      throw new CorruptError(
        'kvm_memory_slot.npages',
        slot.address,
        `is ${npages}: too many to log`,
      )
    }
    // The part of the slot that this is, when an alias cuts it.
    const skipped = (slot.aliasOf ?? slot.gpa) / PAGE_SIZE - baseGfn
    const bytes = Math.ceil(npages / 8)
    const all = bitmap === 0n ? new Uint8Array(bytes) : space.bytes(bitmap, bytes)
    const rings = this.#rings(slot, vcpus, npages, all)
    const isLogged = bitmap !== 0n || (rings !== undefined && (slot.flagBits & 1) === 1)
    if (!isLogged) {
      this.#checkKnown(slot)
      return null
    }
    const bits = skipped === 0 ? all : shifted(all, skipped, slot.npages)
    return new GfnSet(slot.baseGfn, slot.npages, bits, rings ?? [])
  }

  /** A slot that KVM is to log has a bitmap or rings. Without either, types that are known in part do not tell of it. */
  #checkKnown({ flagBits }: Memslot): void {
    const member = 'kvm_memory_slot.dirty_bitmap'
    const why = this.#slot.has('bitmap') ? undefined : this.#host.types.whyMissing?.(member)
    if (why !== undefined && (flagBits & 1) === 1) throw new MissingError('member', member, why)
  }

  /** Adds what is in the rings; gives what of them is missing, or undefined when there are none. */
  #rings(
    { addressSpace, id }: Memslot,
    vcpus: () => HaveRings,
    npages: number,
    bits: Uint8Array,
  ): string[] | undefined {
    if (this.#vcpu === undefined) return undefined
    const all = vcpus()
    let lost: string[] | undefined
    // as_id in the upper half, as KVM_DIRTY_LOG takes it.
    const wanted = addressSpace * 0x10000 + id
    for (const vcpu of all) {
      const found = ifThere(() => {
        const entries = this.#ring(vcpu.address)
        for (const { slot, offset } of entries ?? []) {
          if (slot === wanted && offset < npages)
            bits[offset >> 3] = (bits[offset >> 3] ?? 0) | (1 << (offset % 8))
        }
        return entries
      })
      if (found === undefined) continue
      lost ??= []
      if (found instanceof FaultError) lost.push(`the ring of vCPU ${vcpu.index}: ${found.message}`)
    }
    return lost && [...lost, ...all.lost]
  }

  /** What a ring holds that its VMM has not taken yet; undefined when this virtual machine uses no rings. */
  #ring(vcpu: bigint): { slot: number; offset: number }[] | undefined {
    const { space, types } = this.#host
    const ring = this.#vcpu?.at(space, vcpu)
    if (ring === undefined || ring.entries === 0n) return undefined
    const { pushed, reset, size, entries } = ring
    // Both only ever rise, and wrap at 2^32.
    const used = (pushed - reset) >>> 0
    const isPower = (size & (size - 1)) === 0
    if (size === 0 || size > RING_LIMIT || !isPower || used > size) {
      const problem = `holds ${used} of ${size} entries, which cannot be`
      throw new CorruptError('kvm_vcpu.dirty_ring', vcpu, problem)
    }
    const entry = layout(types, 'kvm_dirty_gfn', {
      flags: uint('flags'),
      slot: uint('slot'),
      offset: uint('offset'),
    })
    return Array.from({ length: used }, (_, i) => {
      const at = entries + BigInt(((reset + i) % size) * entry.size)
      const { flags, slot, offset } = entry.at(space, at)
      return { slot: (flags & TAKEN_OR_DIRTY) === DIRTY ? slot : -1, offset }
    })
  }
}

/** `npages` bits from bit `from` on. */
function shifted(bits: Uint8Array, from: number, npages: number): Uint8Array {
  const part = new Uint8Array(Math.ceil(npages / 8))
  for (let i = 0; i < npages; i++) {
    const bit = from + i
    if ((((bits[bit >> 3] ?? 0) >> (bit % 8)) & 1) === 1)
      part[i >> 3] = (part[i >> 3] ?? 0) | (1 << (i % 8))
  }
  return part
}
