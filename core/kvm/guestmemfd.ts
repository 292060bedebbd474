// SPDX-License-Identifier: GPL-2.0-or-later
// guest_memfd: memory of confidential guests that no process has mapped, found through its file.

import { hex } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { CorruptError } from '../errors.ts'
import { type Linux } from '../linux/linux.ts'
import { XArrays } from '../linux/xarray.ts'
import { address, layout, optional, pointer, uint } from '../types/layout.ts'
import { type Memslot } from './memslots/memslot.ts'

/** KVM_MEMORY_ATTRIBUTE_PRIVATE of include/uapi/linux/kvm.h, in the value that an XArray keeps shifted by one. */
const PRIVATE = 1n << 3n

/** A page of a guest that is private to it: not what the VMM has at the slot's hva. */
export interface PrivatePage {
  /** The guest physical address that was asked for. */
  readonly gpa: number
  /** The `struct file` of the guest_memfd, or null when it was closed. */
  readonly file: bigint | null
  /** The page's number in that file. */
  readonly index: number
  /** Where it lies on the host, or null when the file has no page there yet. Its content may be encrypted. */
  readonly hpa: number | null
}

/** Looks up the private pages of a host's guests. */
export class GuestMemfd {
  readonly #linux: Linux
  readonly #kvm
  readonly #slot
  readonly #xarrays: XArrays
  readonly #file
  readonly #inode
  readonly #mapping

  constructor(linux: Linux) {
    const { types, space } = linux.host
    this.#linux = linux
    this.#xarrays = new XArrays(space, types)
    // Both since 6.8, where they are configured.
    this.#kvm = layout(types, 'kvm', { attributes: optional(address('mem_attr_array')) })
    this.#slot = layout(types, 'kvm_memory_slot', {
      file: pointer('gmem.file'),
      offset: uint('gmem.pgoff'),
    })
    this.#file = layout(types, 'file', { inode: pointer('f_inode') })
    this.#inode = layout(types, 'inode', { mapping: pointer('i_mapping') })
    this.#mapping = layout(types, 'address_space', { pages: address('i_pages') })
  }

  /** Whether a guest's address is private, as its VMM has set it (KVM_SET_MEMORY_ATTRIBUTES). */
  isPrivate(kvm: bigint, slot: Memslot, gpa: number): boolean {
    if (slot.flags.includes('GMEM_ONLY')) return true
    const { space } = this.#linux.host
    const { attributes } = this.#kvm.at(space, kvm)
    if (attributes === undefined) return false
    const entry = this.#xarrays.load(attributes, Math.floor(gpa / PAGE_SIZE))
    return (entry & 1n) === 1n && ((entry >> 1n) & PRIVATE) !== 0n
  }

  /** The page behind an address that is private. Throws FaultError when what leads to it is not in the dump. */
  page(slot: Memslot, gpa: number): PrivatePage {
    const { space } = this.#linux.host
    const { pages } = this.#linux
    const { file, offset } = this.#slot.at(space, slot.address)
    const index = Math.floor((gpa - slot.gpa) / PAGE_SIZE) + offset
    if (file === 0n) return { gpa, file: null, index, hpa: null }
    const { inode } = this.#file.at(space, file)
    const { mapping } = this.#inode.at(space, inode)
    const head = this.#xarrays.load(this.#mapping.at(space, mapping).pages, index)
    // A value stands for a page that was there once.
    if (head === 0n || (head & 1n) === 1n) return { gpa, file, index, hpa: null }
    const frame = pages.frameAt(head)
    if (frame === undefined) {
      throw new CorruptError('address_space.i_pages', mapping, `${hex(head)} is no struct page`)
    }
    const inFolio = index % 2 ** pages.order(head)
    return { gpa, file, index, hpa: (frame + inFolio) * PAGE_SIZE + (gpa % PAGE_SIZE) }
  }
}
