// SPDX-License-Identifier: GPL-2.0-or-later
// Swap devices of the dumped host, and whether a page that was swapped out is still in memory.

import { PAGE_SIZE } from '../../dump/format.ts'
import { CorruptError, FaultError } from '../../errors.ts'
import { int, layout, optional, pointer, uint } from '../../types/layout.ts'
import { type Files } from '../file.ts'
import { type Host } from '../host.ts'
import { type Pages } from '../page.ts'
import { type Damage, ifSound, isDamage, isGap } from '../partial.ts'
import { swapCache, type SwapCache } from './swapcache.ts'
import { holdsStructs, swapFormat, type SwapFormat } from './swapentry.ts'
import { swapSamples } from './swapsamples.ts'

/** One swap device or file (`struct swap_info_struct`). */
export interface SwapDevice {
  /** Its index in swap_info[], the type in swap entries. */
  readonly type: number
  /** The path as in /proc/swaps; `…/name` when the dump lacks what the rest of it is read from: see `salvaged`. */
  readonly path: string
  /** As in /proc/swaps. */
  readonly kind: 'partition' | 'file'
  /** Usable pages, and pages in use. */
  readonly pages: number
  readonly usedPages: number
  readonly priority: number
  /** What of it could not be read, in a dump with missing pages. */
  readonly salvaged?: string
}

/** A swap device whose description is not in the dump, or is damaged. */
export interface LostSwapDevice {
  readonly type: number
  /** Which page is missing, or which structure cannot be, and why. */
  readonly fault: Damage
}

/** Swap devices by type, and what is missing among them. */
export interface SwapDevices extends ReadonlyArray<SwapDevice> {
  /** Empty for a whole dump. */
  readonly lost: readonly LostSwapDevice[]
}

/** Where a swapped page is. */
export interface SwapPlace {
  readonly type: number
  /** In pages from the start of the device. */
  readonly offset: number
  /** The device's path, or null when swap_info has none of this type. */
  readonly path: string | null
  /** The host physical address of the copy in the swap cache, when it is still there. */
  readonly cachedAt: number | null
}

/** What the content of a swapped page is looked for with. */
export interface SwapSlot extends SwapPlace {
  /**
   * The `block_device` when the device is a whole disk or a partition; null for a file, or when there is no device;
   * undefined where this kernel's types do not tell it.
   */
  readonly blockDevice: bigint | null | undefined
  /** True when the kernel noted that the page is all zeros, and wrote nothing to the device. */
  readonly isZeros: boolean
}

const S_IFMT = 0xf000
const S_IFBLK = 0x6000
const SWP_USED = 0x1

/** The swap of one host. */
export class Swap {
  /** How this kernel writes swap entries. */
  readonly format: SwapFormat
  readonly #host: Host
  readonly #files: Files
  readonly #pages: Pages
  readonly #info
  readonly #inode
  #cache: SwapCache | undefined
  #devices: SwapDevices | undefined

  constructor(host: Host, files: Files, pages: Pages) {
    this.#host = host
    this.#files = files
    this.#pages = pages
    this.format = swapFormat(host, (maxSwapFiles) => ({
      samples: swapSamples(host),
      devices: this.#pagesByType(),
      maxSwapFiles,
    }))
    this.#info = layout(host.types, 'swap_info_struct', {
      flags: uint('flags'),
      priority: int('prio'),
      pages: uint('pages'),
      // An atomic_long_t since 6.12, then with a flag in bit 30 (SWAP_USAGE_OFFLIST_BIT of mm/swapfile.c).
      usedPages: uint('inuse_pages.counter', 'inuse_pages'),
      file: pointer('swap_file'),
      max: uint('max'),
      blockDevice: optional(pointer('bdev')),
      // One bit a page: 6.12 to 7.1 (mm/page_io.c).
      zeros: optional(pointer('zeromap')),
    })
    this.#inode = layout(host.types, 'inode', { mode: uint('i_mode') })
  }

  /** The devices and files that are switched on, by type, and those that the dump lacks. */
  get devices(): SwapDevices {
    this.#devices ??= this.#readDevices()
    return this.#devices
  }

  /**
   * Where the page of a swap entry is. Throws CorruptError for an offset behind the end of its device, and the error
   * that describes the damage when its device cannot be read.
   */
  place(type: number, offset: number): SwapPlace {
    const lost = this.devices.lost.find((one) => one.type === type)
    if (lost !== undefined) throw lost.fault
    const device = this.devices.find((candidate) => candidate.type === type)
    let cachedAt: number | null = null
    if (device !== undefined) {
      const info = this.#info.at(this.#host.space, this.#address(type))
      if (offset >= info.max) {
        const problem = `is ${info.max} pages, but a page table names page ${offset}`
        throw new CorruptError('swap_info_struct.max', info.address, problem)
      }
      this.#cache ??= swapCache(this.#host, this.#pages)
      const pfn = this.#cache.find(info.address, type, offset)
      cachedAt = pfn === undefined ? null : pfn * PAGE_SIZE
    }
    return { type, offset, path: device?.path ?? null, cachedAt }
  }

  /** The same, with what else is known of where the content of that page can be. Throws as `place` does. */
  slot(type: number, offset: number): SwapSlot {
    const place = this.place(type, offset)
    const device = this.devices.find((candidate) => candidate.type === type)
    if (device === undefined) return { ...place, blockDevice: null, isZeros: false }
    const info = this.#info.at(this.#host.space, this.#address(type))
    return {
      ...place,
      blockDevice: device.kind === 'partition' ? info.blockDevice : null,
      isZeros:
        this.#hasBit(info.zeros ?? 0n, offset) ||
        (this.#cache?.saysZeros(info.address, offset) ?? false),
    }
  }

  #hasBit(map: bigint, index: number): boolean {
    if (map === 0n) return false
    return ((this.#host.space.u8(map + BigInt(Math.floor(index / 8))) >> (index % 8)) & 1) === 1
  }

  /** The address of a device's swap_info_struct. */
  #address(type: number): bigint {
    const table = this.#host.symbol('swap_info')
    if (holdsStructs(this.#host)) return table + BigInt(type * this.#info.size)
    return this.#host.space.u64(table + BigInt(type * 8))
  }

  #pagesByType(): Map<number, number> {
    const { space } = this.#host
    return new Map(
      this.devices.map(({ type }) => [type, this.#info.at(space, this.#address(type)).max]),
    )
  }

  #readDevices(): SwapDevices {
    const { space } = this.#host
    const count = space.u32(this.#host.symbol('nr_swapfiles'))
    if (count > this.format.maxSwapFiles) {
      const problem = `is ${count}, but this kernel has room for ${this.format.maxSwapFiles} devices`
      throw new CorruptError('nr_swapfiles', this.#host.symbol('nr_swapfiles'), problem)
    }
    const devices: SwapDevice[] = []
    const lost: LostSwapDevice[] = []
    for (let type = 0; type < count; type++) {
      const device = ifSound(() => this.#readDevice(type))
      if (isDamage(device)) lost.push({ type, fault: device })
      else if (device !== undefined) devices.push(device)
    }
    const damage = lost.find(({ fault }) => !isGap(fault))
    if (damage !== undefined && devices.length === 0) throw damage.fault
    // Not enumerable: the list is an array like any other.
    const list = Object.defineProperty(devices, 'lost', { value: Object.freeze(lost) })
    return Object.freeze(list) as unknown as SwapDevices
  }

  #readDevice(type: number): SwapDevice | undefined {
    const { space } = this.#host
    const info = this.#info.at(space, this.#address(type))
    if ((info.flags & SWP_USED) === 0 || info.file === 0n) return undefined
    const { mode } = this.#inode.at(space, this.#files.paths.inodeOf(info.file))
    return {
      type,
      ...this.#pathOf(info.file),
      kind: (mode & S_IFMT) === S_IFBLK ? 'partition' : 'file',
      pages: info.pages,
      usedPages: info.usedPages % 2 ** 30,
      priority: info.priority,
    }
  }
  /** Mounts and folders above a file can be missing where its own name is not. */
  #pathOf(file: bigint): { path: string; salvaged?: string } {
    try {
      return { path: this.#files.path(file) }
    } catch (error) {
      if (!(error instanceof FaultError) || !error.isGap) throw error
      const { name } = this.#files.paths.entryOf(file)
      return { path: `…/${name}`, salvaged: `only its last name is known: ${error.message}` }
    }
  }
}
