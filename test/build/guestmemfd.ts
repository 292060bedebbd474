// SPDX-License-Identifier: GPL-2.0-or-later
// Gives a memslot private pages: attributes by frame, and a guest_memfd with one folio.

import { type BuiltHost } from './linux.ts'
import { seededRandom } from './random.ts'

/** KVM_MEM_GUEST_MEMFD of include/uapi/linux/kvm.h. */
export const GUEST_MEMFD = 4

/** Where the folio of four frames lies; in the file it has pages 8 to 11. */
export const folioHpa = 0x20000000

/**
 * Makes guest frames 2, 4 and 5 of a process's first virtual machine private. The file of its first memslot, which must
 * have the flag, begins four pages before the slot does. Frame 6 has another attribute.
 */
export function addGuestMemfd(built: BuiltHost, owner: number): void {
  const { kernel } = built
  const [vm] = built.task(owner).vms
  const [slot] = vm?.slots ?? []
  if (vm === undefined || slot === undefined) throw new Error(`no memslot of ${owner}`)
  const attributes = kernel.make('xa_node', { shift: 0 })
  // Values: bit 3 is private, shifted by one, and bit 0 that it is a value.
  for (const gfn of [2, 4, 5]) kernel.set('xa_node', attributes, { [`slots[${gfn}]`]: 0x11 })
  kernel.set('xa_node', attributes, { 'slots[6]': 0x3 })
  kernel.set('kvm', vm.kvm, { 'mem_attr_array.xa_head': attributes + 2n })
  const head = built.frame({ hpa: folioHpa, order: 2 })
  const pages = kernel.make('xa_node', { shift: 0, 'slots[8]': head })
  // The other slots of a large folio say where its first one is: xa_mk_sibling of include/linux/xarray.h.
  for (const index of [9, 10, 11])
    kernel.set('xa_node', pages, { [`slots[${index}]`]: (8 << 2) | 2 })
  const i_mapping = kernel.make('address_space', { 'i_pages.xa_head': pages + 2n })
  const file = kernel.make('file', { f_inode: kernel.make('inode', { i_mapping }) })
  kernel.set('kvm_memory_slot', slot, { 'gmem.file': file, 'gmem.pgoff': 4 })
}

/** Where the folios of a guest with private pages all over begin. */
export const privateHpa = 0x40000000

/**
 * Makes runs of pages of a process's first virtual machine private, any of them, and gives the file of its first memslot
 * folios of 1 to 512 pages, and gaps. Gives the pages of the dump that hold nodes of the trees and nothing else.
 */
export function addRandomGuestMemfd(built: BuiltHost, owner: number, pages: number): number[] {
  const { kernel } = built
  const random = seededRandom(7)
  const upTo = (limit: number): number => Math.floor(random() * limit)
  const [vm] = built.task(owner).vms
  const [slot] = vm?.slots ?? []
  if (vm === undefined || slot === undefined) throw new Error(`no memslot of ${owner}`)
  const attributes = new Map<number, bigint>()
  for (let gfn = upTo(9); gfn < pages;) {
    const end = Math.min(pages, gfn + 1 + upTo(upTo(4) === 0 ? 700 : 20))
    for (; gfn < end; gfn++) attributes.set(gfn, 0x11n)
    gfn += upTo(upTo(4) === 0 ? 300 : 9)
  }
  const file = new Map<number, bigint>()
  let frame = privateHpa / 4096
  for (let index = 0; index < pages;) {
    const order = upTo(3) === 0 ? upTo(10) : 0
    const size = 2 ** order
    if (index % size === 0 && upTo(5) > 0) {
      frame = Math.ceil(frame / size) * size
      const head = built.frame({ hpa: frame * 4096, order })
      for (let i = 0; i < size; i++) file.set(index + i, head)
      frame += size
      index += size
    } else index++
  }
  const mapping = kernel.make('address_space')
  const inode = kernel.make('inode', { i_mapping: mapping })
  const gmemFile = kernel.make('file', { f_inode: inode })
  const nodes: number[] = []
  kernel.set('address_space', mapping, { 'i_pages.xa_head': treeOf(built, file, nodes) })
  kernel.set('kvm', vm.kvm, { 'mem_attr_array.xa_head': treeOf(built, attributes, nodes) })
  kernel.set('kvm_memory_slot', slot, { 'gmem.file': gmemFile })
  // The first and the last of these pages have other objects, too.
  return [...new Set(nodes.map((hpa) => hpa - (hpa % 4096)))].slice(1, -1)
}

/** An XArray of up to 2^18 entries; gives its head. Equal neighbours that are pointers are one entry and its siblings. */
function treeOf(
  { kernel }: BuiltHost,
  entries: ReadonlyMap<number, bigint>,
  nodes: number[],
): bigint {
  const node = (shift: number, base: number): bigint => {
    const at = kernel.make('xa_node', { shift })
    nodes.push(kernel.hpa(at))
    const span = 2 ** shift
    for (let slot = 0; slot < 64; slot++) {
      const index = base + slot * span
      const entry = entries.get(index)
      const isPointer = entry !== undefined && (entry & 1n) === 0n
      // One entry for all indexes of a slot, where they are the same folio's.
      const isOne = shift === 0 || (isPointer && entries.get(index + span - 1) === entry)
      let value = 0n
      if (isOne && entry !== undefined) {
        const before = isPointer && slot > 0 && entries.get(index - 1) === entry
        const first = before ? firstSlot(entries, index, span, base) : slot
        value = before ? BigInt((first << 2) | 2) : entry
      } else if (shift > 0 && has(entries, index, span)) value = node(shift - 6, index) + 2n
      if (value !== 0n) kernel.set('xa_node', at, { [`slots[${slot}]`]: value })
    }
    return at
  }
  return node(12, 0) + 2n
}

function firstSlot(
  entries: ReadonlyMap<number, bigint>,
  index: number,
  span: number,
  base: number,
): number {
  let first = index
  while (first > base && entries.get(first - span) === entries.get(index)) first -= span
  return (first - base) / span
}

function has(entries: ReadonlyMap<number, bigint>, from: number, count: number): boolean {
  for (let i = 0; i < count; i++) if (entries.has(from + i)) return true
  return false
}
