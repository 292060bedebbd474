// SPDX-License-Identifier: GPL-2.0-or-later
// A guest of many small pages in a compressed dump that holds nothing but its page tables.

import { type Engine } from '../../core/bulk/engine.ts'
import { GuestPages } from '../../core/bulk/guest.ts'
import { Mapping } from '../../core/bulk/mapping.ts'
import { NO_SLOT } from '../../core/bulk/states.ts'
import { wasmKernels } from '../../core/bulk/wasm.ts'
import { type PageSource } from '../../core/dump/format.ts'
import { type Vm } from '../../core/kvm/vm.ts'
import { PhysicalMemory } from '../../core/space/physical.ts'
import { UserSpace } from '../../core/space/uva.ts'
import { buildKdump } from './kdump.ts'
import { rulesOfToday, TABLE } from './pagetable.ts'

const RIGHTS = 0x8000000000000067n
/** The highest table is in frame 1. */
const ROOT = 4096

/** The frame of a guest's page. */
export function frameOf(gfn: number): number {
  return Math.imul(gfn + 1, 0x9e3779b1) >>> 4
}

/** The file. The guest has so many GiB, at host virtual address 0. */
export function buildLargeGuest(gib: number): Uint8Array {
  const pages = new Map<number, Uint8Array>()
  const table = (pfn: number, entry: (i: number) => bigint) => {
    const entries = BigUint64Array.from({ length: 512 }, (_, i) => entry(i))
    pages.set(pfn, new Uint8Array(entries.buffer))
  }
  const tableAt = (pfn: number) => (BigInt(pfn) << 12n) | TABLE
  table(1, (i) => (i === 0 ? tableAt(2) : 0n))
  table(2, (i) => (i < gib ? tableAt(3 + i) : 0n))
  for (let i = 0; i < gib; i++) table(3 + i, (at) => tableAt(3 + gib + i * 512 + at))
  for (let i = 0; i < gib * 512; i++) {
    table(3 + gib + i, (at) => (BigInt(frameOf(i * 512 + at)) << 12n) | RIGHTS)
  }
  return buildKdump({ pages, codec: 'zlib' }).bytes
}

/** Swap entries are all that the kernel is asked about, and there are none. */
const noKernel: Pick<Vm, 'linux'> = {
  get linux(): never {
    throw new Error('a swap entry')
  },
}

/** What translates for the guest, of which nothing is read yet. */
export function largeGuestEngine(source: PageSource, gib: number): Engine {
  const slots = [{ gfn: 0, npages: gib * 2 ** 18, delta: 0n, id: 0 }]
  const space = new UserSpace(new PhysicalMemory(source), rulesOfToday, ROOT)
  const mapping = new Mapping(slots, NO_SLOT, new GuestPages(noKernel, space, slots))
  return {
    mapping,
    wasm: wasmKernels(mapping.memory.wasm, mapping.lanes),
    walk: (address) => {
      throw new Error(`0x${address.toString(16)} is not in the table`)
    },
    swapped: () => undefined,
  }
}

/** The same pages, of which nobody can be told to unpack them ahead. */
export function withoutAhead(source: PageSource): PageSource {
  const { facts, endPfn, notes, vmcoreinfo } = source
  const close = () => {
    source.close()
  }
  return { facts, endPfn, notes, vmcoreinfo, page: (pfn) => source.page(pfn), close }
}
