// SPDX-License-Identifier: GPL-2.0-or-later
// Writes a process that runs virtual machines: memory, mappings, open files, memslots.

import { type BuiltFiles } from './filesystem.ts'
import { type BuiltKernel } from './kernel.ts'
import { PageTables } from './pagetable.ts'
import { slotTexts } from './slotforms.ts'
import { type AliasDescription, makeAliases, makeSet, type SlotDescription } from './slots.ts'

export { type SlotDescription } from './slots.ts'

export interface VmDescription {
  readonly slots: readonly SlotDescription[]
  /** What the guest sees in system management mode: address space 1. */
  readonly smm?: readonly SlotDescription[]
  /** Slots that were deleted: in trees, those that only the set which is not in use still has. */
  readonly stale?: readonly SlotDescription[]
  /** Generations of the sets, by address space. */
  readonly generations?: readonly bigint[]
  readonly aliases?: readonly AliasDescription[]
}

export interface VmaDescription {
  readonly start: bigint
  readonly end: bigint
  /** As in /proc/PID/maps; `rw-p` when not given. */
  readonly protection?: string
  readonly file?: string
}

/** An entry of a page table: where, at which level, and its value. */
export type EntryDescription = readonly [address: bigint, level: number, entry: bigint]

/** Where the parts of a virtual machine were written. */
export interface BuiltVm {
  readonly kvm: bigint
  readonly file: bigint
  /** The sets of memslots that are in use, by address space. */
  readonly sets: readonly bigint[]
  /** The slots of address space 0, in the order of their description. */
  readonly slots: readonly bigint[]
}

/** The address space of a process. */
export interface BuiltMm {
  readonly mm: bigint
  readonly tables: PageTables
  readonly vmas: readonly bigint[]
}

/** Writes an mm with its VMAs and page tables. */
export function buildMm(
  kernel: BuiltKernel,
  files: BuiltFiles,
  vmas: readonly VmaDescription[],
  entries: readonly EntryDescription[],
): BuiltMm {
  const tables = new PageTables(kernel.memory, kernel.levels, () => kernel.newPage())
  for (const [address, level, entry] of entries) tables.set(address, level, entry)
  const mm = kernel.make('mm_struct', { pgd: kernel.direct(tables.root), map_count: vmas.length })
  const sorted = [...vmas].sort((a, b) => (a.start < b.start ? -1 : 1))
  const built = sorted.map(({ start, end, protection = 'rw-p', file }) => {
    // VM_MAYREAD, VM_MAYWRITE and VM_MAYEXEC, and what is allowed now.
    let vm_flags = 0x70n
    for (let i = 0; i < 4; i++) if (protection[i] === 'rwxs'[i]) vm_flags |= 1n << BigInt(i)
    const vm_file = file === undefined ? 0n : files.open(file)
    const range = { vm_start: start, vm_end: end, vm_pgoff: start >> 12n }
    return kernel.make('vm_area_struct', { ...range, vm_flags, vm_file, vm_mm: mm }, 256)
  })
  if (kernel.forms.vmas === 'maple') {
    kernel.set('mm_struct', mm, { 'mm_mt.ma_root': mapleRoot(kernel, sorted, built) })
  } else {
    const nodes = built.map((vma) => kernel.member('vm_area_struct', vma, 'vm_rb'))
    kernel.set('mm_struct', mm, { 'mm_rb.rb_node': kernel.tree(nodes) })
  }
  return { mm, tables, vmas: built }
}

/** A tree of one leaf: at most seven VMAs, with the gaps between them. */
function mapleRoot(
  kernel: BuiltKernel,
  ranges: readonly VmaDescription[],
  vmas: readonly bigint[],
): bigint {
  if (ranges.length === 0) return 0n
  const pivots: bigint[] = []
  const slots: bigint[] = []
  let from = 0n
  ranges.forEach(({ start, end }, i) => {
    if (start > from) {
      pivots.push(start - 1n)
      slots.push(0n)
    }
    pivots.push(end - 1n)
    slots.push(vmas[i] ?? 0n)
    from = end
  })
  if (slots.length > 14) throw new Error('too many VMAs for one leaf')
  const node = kernel.make('maple_range_64', { 'meta.end': slots.length }, 256)
  pivots.forEach((pivot, i) => kernel.set('maple_range_64', node, { [`pivot[${i}]`]: pivot }))
  slots.forEach((slot, i) => kernel.set('maple_range_64', node, { [`slot[${i}]`]: slot }))
  // The type of a leaf, 1, in bits 3 to 6; bit 1 marks a node (mte_mk_root of lib/maple_tree.c).
  return node | (1n << 3n) | 2n
}

/** Writes a `struct kvm` with its memslots, and the file through which its process holds it. */
export function buildVm(
  kernel: BuiltKernel,
  files: BuiltFiles,
  mm: bigint,
  description: VmDescription,
): BuiltVm {
  const { slots, smm = [], stale = [], generations = [], aliases = [] } = description
  const kvm = kernel.make('kvm', { mm })
  const first = { slots, stale, generation: generations[0] ?? 0n }
  const spaces = [first, { slots: smm, generation: generations[1] ?? 0n }]
  const { addressSpaces } = slotTexts[kernel.forms.memslots]
  const sets = spaces.slice(0, addressSpaces).map((set) => makeSet(kernel, kvm, set))
  if (addressSpaces === 2) {
    sets.forEach(({ set }, i) => kernel.set('kvm', kvm, { [`memslots[${i}]`]: set }))
  } else if (kernel.forms.memslots !== 'in kvm') {
    kernel.set('kvm', kvm, { memslots: sets[0]?.set ?? 0n })
  }
  if (aliases.length > 0) makeAliases(kernel, kvm, aliases)
  const file = files.anonymous('kvm-vm', kernel.symbol('kvm_vm_fops'), kvm)
  return { kvm, file, sets: sets.map(({ set }) => set), slots: sets[0]?.slots ?? [] }
}
