// SPDX-License-Identifier: GPL-2.0-or-later
// Aliases: guest frames that stand for others, as VGA memory does in kernels up to 2.6.35.

import { hex } from '../../bytes/hex.ts'
import { PAGE_SIZE } from '../../dump/format.ts'
import { CorruptError } from '../../errors.ts'
import { address, arrayLength, int, layout, optional, pointer, uint } from '../../types/layout.ts'
import { type Memslot } from './memslot.ts'
import { type MemslotHost } from './slotform.ts'

/** A run of guest frames that KVM takes for another run (`struct kvm_mem_alias`). */
export interface Alias {
  readonly baseGfn: number
  readonly npages: number
  readonly targetGfn: number
}

/** KVM_ALIAS_SLOTS of arch/x86/include/asm/kvm_host.h is 4. */
const ALIAS_LIMIT = 64
/** KVM_ALIAS_INVALID, since 2.6.34. */
const INVALID = 1

/** Reads the aliases of a `struct kvm`; undefined for kernels that have none. */
export function aliasReader(host: MemslotHost): ((kvm: bigint) => Alias[]) | undefined {
  const { space, types } = host
  if (types.struct('kvm')?.member('arch.aliases') === undefined) return undefined
  // In kvm_arch itself, or since 2.6.34 (and in RHEL 6) in a structure of their own.
  const own = types.struct('kvm')?.member('arch.naliases') !== undefined
  const pointed = own ? undefined : layout(types, 'kvm', { aliases: pointer('arch.aliases') })
  const holder = own
    ? layout(types, 'kvm', { count: int('arch.naliases'), first: address('arch.aliases') })
    : layout(types, 'kvm_mem_aliases', { count: int('naliases'), first: address('aliases') })
  const limit =
    (own
      ? arrayLength(types, 'kvm', 'arch.aliases')
      : arrayLength(types, 'kvm_mem_aliases', 'aliases')) ?? ALIAS_LIMIT
  const alias = layout(types, 'kvm_mem_alias', {
    baseGfn: uint('base_gfn'),
    npages: uint('npages'),
    targetGfn: uint('target_gfn'),
    flags: optional(uint('flags')),
  })
  return (kvm) => {
    const at = pointed === undefined ? kvm : pointed.at(space, kvm).aliases
    if (at === 0n) return []
    const { count, first } = holder.at(space, at)
    if (count < 0 || count > Math.min(limit, ALIAS_LIMIT)) {
      throw new CorruptError('kvm_arch.naliases', at, `is ${count}, but there is room for ${limit}`)
    }
    const all: Alias[] = []
    for (let i = 0; i < count; i++) {
      const one = alias.at(space, first + BigInt(i * alias.size))
      const { baseGfn, npages, targetGfn, flags = 0 } = one
      if (npages === 0 || (flags & INVALID) !== 0) continue
      if (baseGfn + npages > 2 ** 40 || targetGfn + npages > 2 ** 40) {
        const problem = `gfn ${hex(baseGfn)} or ${hex(targetGfn)} and ${npages} pages are more than a guest can have`
        throw new CorruptError('kvm_mem_alias', one.address, problem)
      }
      all.push({ baseGfn, npages, targetGfn })
    }
    return all
  }
}

/**
 * Memslots as the guest sees them: what an alias covers is taken out of the slots, and stands for what it leads to. KVM
 * looks at the aliases first, takes the first that fits, and does so once (unalias_gfn of arch/x86/kvm/mmu.c, 2.6.32).
 */
export function withAliases(slots: readonly Memslot[], aliases: readonly Alias[]): Memslot[] {
  let seen = [...slots]
  const made: Memslot[] = []
  // The last one first: where several cover a frame, the first has the last word.
  for (const { baseGfn, npages, targetGfn } of [...aliases].reverse()) {
    const end = baseGfn + npages
    const around = (slot: Memslot) => [...partOf(slot, 0, baseGfn), ...partOf(slot, end, Infinity)]
    seen = seen.flatMap(around)
    const others = made.splice(0).flatMap(around)
    const targets = slots.flatMap((slot) => partOf(slot, targetGfn, targetGfn + npages))
    const moved = targets.map((slot): Memslot => {
      const own = slot.baseGfn - targetGfn + baseGfn
      return { ...slot, baseGfn: own, gpa: own * PAGE_SIZE, aliasOf: slot.gpa }
    })
    made.push(...others, ...moved)
  }
  return [...seen, ...made].sort((a, b) => a.baseGfn - b.baseGfn)
}

/** The part of a slot between two frames: none or one. */
function partOf(slot: Memslot, from: number, to: number): Memslot[] {
  const start = Math.max(slot.baseGfn, from)
  const npages = Math.min(slot.baseGfn + slot.npages, to) - start
  if (npages <= 0) return []
  const skipped = start - slot.baseGfn
  const place = {
    baseGfn: start,
    npages,
    gpa: start * PAGE_SIZE,
    size: npages * PAGE_SIZE,
    hva: slot.hva + BigInt(skipped * PAGE_SIZE),
  }
  const { aliasOf } = slot
  const moved = aliasOf === undefined ? {} : { aliasOf: aliasOf + skipped * PAGE_SIZE }
  return [npages === slot.npages ? slot : { ...slot, ...place, ...moved }]
}
