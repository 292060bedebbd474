// SPDX-License-Identifier: GPL-2.0-or-later
// Gives a memslot private pages: attributes by frame, and a guest_memfd with one folio.

import { type BuiltHost } from './linux.ts'

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
