// SPDX-License-Identifier: GPL-2.0-or-later
// Writes the memslots of a virtual machine in the form of a kernel's era.

import { type BuiltKernel } from './kernel.ts'
import { slotTexts } from './slotforms.ts'

/** A run of guest memory. */
export interface SlotDescription {
  readonly id: number
  readonly gpa: number
  readonly pages: number
  readonly hva: bigint
  readonly flags?: number
}

/** Guest frames that stand for others (kernels up to 2.6.35). */
export interface AliasDescription {
  readonly gpa: number
  readonly pages: number
  readonly target: number
  readonly flags?: number
}

/** What an address space has. */
export interface SetDescription {
  readonly slots: readonly SlotDescription[]
  /** Slots that were deleted, and what is left of them where nobody may look. */
  readonly stale?: readonly SlotDescription[]
  readonly generation?: bigint
}

/** Writes the set of one address space and gives its address. Slots are given for trees only. */
export function makeSet(
  kernel: BuiltKernel,
  kvm: bigint,
  { slots, stale = [], generation = 0n }: SetDescription,
): { set: bigint; slots: readonly bigint[] } {
  const form = kernel.forms.memslots
  if (form === 'tree') return makeTree(kernel, slots, stale, generation)
  const row = rowOf(kernel, slots, stale)
  const size = kernel.types.sizeOf('kvm_memory_slot') ?? 0
  const header = kernel.types.sizeOf('kvm_memslots') ?? 0
  // Allocated memory ends behind an array: another set does not follow at once.
  const set =
    form === 'in kvm' ? kvm : kernel.room(header + (form === 'array' ? (row.length + 1) * size : 0))
  const struct = form === 'in kvm' ? 'kvm' : 'kvm_memslots'
  row.forEach((slot, i) => {
    const at = kernel.member(struct, set, `memslots[${i}]`)
    kernel.set('kvm_memory_slot', at, slotMembers(kernel, slot))
  })
  const counted = form === 'by id' || form === 'in kvm'
  if (counted) kernel.set(struct, set, { nmemslots: row.length })
  else if (form !== 'by size') kernel.set(struct, set, { used_slots: slots.length })
  if (has(kernel, 'kvm_memslots', 'generation')) kernel.set('kvm_memslots', set, { generation })
  if (has(kernel, 'kvm_memslots', 'id_to_index')) {
    row.slice(0, slots.length).forEach(({ id }, i) => {
      kernel.set('kvm_memslots', set, { [`id_to_index[${id}]`]: i })
    })
  }
  return { set, slots: [] }
}

/** Writes the aliases of a virtual machine. */
export function makeAliases(
  kernel: BuiltKernel,
  kvm: bigint,
  aliases: readonly AliasDescription[],
): void {
  const { types } = kernel
  const own = has(kernel, 'kvm', 'arch.naliases')
  const holder = own ? kvm : kernel.make('kvm_mem_aliases')
  const [struct, prefix] = own ? ['kvm', 'arch.'] : ['kvm_mem_aliases', '']
  kernel.set(struct, holder, { [`${prefix}naliases`]: aliases.length })
  aliases.forEach(({ gpa, pages, target, flags }, i) => {
    const at = kernel.member(struct, holder, `${prefix}aliases[${i}]`)
    const place = { base_gfn: gpa / 4096, npages: pages, target_gfn: target / 4096 }
    const hasFlags = types.struct('kvm_mem_alias')?.member('flags') !== undefined
    kernel.set('kvm_mem_alias', at, { ...place, ...(hasFlags ? { flags: flags ?? 0 } : {}) })
  })
  if (!own) kernel.set('kvm', kvm, { 'arch.aliases': holder })
}

/** The flag of a slot that KVM is deleting or moving. */
export function invalidFlag(kernel: BuiltKernel): number {
  return 2 ** slotTexts[kernel.forms.memslots].invalid
}

/** The slots in the order of their array; behind those in use what was deleted. */
function rowOf(
  kernel: BuiltKernel,
  slots: readonly SlotDescription[],
  stale: readonly SlotDescription[],
): readonly SlotDescription[] {
  const none = { gpa: 0, pages: 0, hva: 0n }
  const form = kernel.forms.memslots
  if (form === 'by size') {
    // The first empty one ends it.
    const bySize = [...slots].sort((a, b) => b.pages - a.pages)
    return stale.length === 0 ? bySize : [...bySize, { id: 0, ...none }, ...stale]
  }
  if (form === 'by id' || form === 'in kvm') {
    // A deleted slot keeps its place, without pages.
    const all = [...slots, ...stale.map((slot) => ({ ...slot, pages: 0 }))]
    const last = Math.max(-1, ...all.map(({ id }) => id))
    return Array.from({ length: last + 1 }, (_, id) => {
      return all.find((slot) => slot.id === id) ?? { id, ...none }
    })
  }
  return [...[...slots].sort((a, b) => b.gpa - a.gpa), ...stale]
}

function has(kernel: BuiltKernel, struct: string, path: string): boolean {
  return kernel.types.struct(struct)?.member(path) !== undefined
}

function slotMembers(kernel: BuiltKernel, { id, gpa, pages, hva, flags = 0 }: SlotDescription) {
  const own = has(kernel, 'kvm_memory_slot', 'id') ? { id } : {}
  return { ...own, base_gfn: gpa / 4096, npages: pages, userspace_addr: hva, flags }
}

/** The set that is in use is number 1; number 0 is the one that it took the place of. */
function makeTree(
  kernel: BuiltKernel,
  slots: readonly SlotDescription[],
  stale: readonly SlotDescription[],
  generation: bigint,
): { set: bigint; slots: readonly bigint[] } {
  const make = (slot: SlotDescription) => kernel.make('kvm_memory_slot', slotMembers(kernel, slot))
  const order = (all: readonly (readonly [number, bigint])[], index: number) =>
    [...all]
      .sort(([a], [b]) => a - b)
      .map(([, slot]) => kernel.member('kvm_memory_slot', slot, `gfn_node[${index}]`))
  const built = slots.map(make)
  const active = slots.map((slot, i) => [slot.gpa, built[i] ?? 0n] as const)
  const gone = stale.map((slot) => [slot.gpa, make(slot)] as const)
  kernel.make('kvm_memslots', {
    node_idx: 0,
    'gfn_tree.rb_node': kernel.tree(order([...active, ...gone], 0)),
  })
  const top = kernel.tree(order(active, 1))
  const set = kernel.make('kvm_memslots', { generation, node_idx: 1, 'gfn_tree.rb_node': top })
  return { set, slots: built }
}
