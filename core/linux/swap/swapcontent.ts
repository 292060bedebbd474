// SPDX-License-Identifier: GPL-2.0-or-later
// The content of a swapped page: from the swap cache, as zeros, or out of zram. What is on a disk is not in a dump.

import { hex } from '../../bytes/hex.ts'
import { PAGE_SIZE } from '../../dump/format.ts'
import { FaultError, MissingError, UnsupportedError } from '../../errors.ts'
import { type Host } from '../host.ts'
import { type Pages } from '../page.ts'
import { type Swap } from './swap.ts'
import { Zram } from './zram.ts'
import { Zswap } from './zswap.ts'

/** The 4096 bytes of a page, and where they are from. */
export interface PageContent {
  /**
   * - `memory`: a frame of the host
   * - `swap cache`: a frame that the host had not yet taken from a swapped page
   * - `page cache`: a frame of the file or the shared memory that is mapped
   * - `zram`: the host's compressed memory
   * - `guest_memfd`: a frame that is the guest's own; where the processor encrypts such memory, what lies there is that
   * - `zeros`: nothing is kept, since the page is all zeros
   */
  readonly from: 'memory' | 'swap cache' | 'page cache' | 'zram' | 'guest_memfd' | 'zeros'
  /** More of that, for people: `hpa 0x1c000`, `zram0, lz4, 74 bytes`. */
  readonly how: string
  /** Not to be written. */
  readonly bytes: Uint8Array
}

/** All zeros, for every page that is. */
export const ZEROS: Uint8Array = new Uint8Array(PAGE_SIZE)

/** The swapped pages of one host. */
export class SwapContents {
  readonly #host: Host
  readonly #swap: Swap
  readonly #pages: Pages
  #zram: Zram | undefined
  #zswap: Zswap | undefined

  constructor(host: Host, swap: Swap, pages: Pages) {
    this.#host = host
    this.#swap = swap
    this.#pages = pages
  }

  /**
   * The content of page `offset` of a device, in the order in which the kernel would look for it. Throws FaultError
   * (`swapped` when it is on the device alone), UnsupportedError for zswap and for what zram does that is not read,
   * CorruptError when structures contradict each other.
   */
  read(type: number, offset: number): PageContent {
    const slot = this.#swap.slot(type, offset)
    const { path, cachedAt, blockDevice } = slot
    if (path === null) {
      throw fault(offset, `page ${offset} is on swap device ${type}, which this host does not have`)
    }
    if (cachedAt !== null) {
      // The copy can be newer than what is on the device: when it is not in the dump, nothing else will do.
      const page = this.#host.memory.tryPage(cachedAt / PAGE_SIZE)
      if (page instanceof Uint8Array) {
        return { from: 'swap cache', how: `hpa ${hex(cachedAt)}`, bytes: page }
      }
      const where = `page ${offset} of ${path} is still in the swap cache at hpa ${hex(cachedAt)}`
      throw new FaultError('swap', offset * PAGE_SIZE, page.why, `${where}: ${page.detail}`)
    }
    if (slot.isZeros) return { from: 'zeros', how: 'swapped out as zeros', bytes: ZEROS }
    this.#zswap ??= new Zswap(this.#host)
    if (this.#zswap.holds(type, offset)) {
      const problem = `page ${offset} of ${path} is in zswap, in front of the device, which is not read`
      throw new UnsupportedError(problem, 'zswap')
    }
    if (blockDevice === undefined) {
      const member = 'swap_info_struct.bdev'
      const why = this.#host.types.whyMissing?.(member) ?? this.#host.types.name
      throw new MissingError(
        'member',
        member,
        `${why}, so page ${offset} of ${path} was not sought`,
      )
    }
    const page = blockDevice === null ? undefined : this.#fromZram(blockDevice, offset)
    if (page !== undefined) return page
    const problem = `page ${offset} of ${path} is on that device alone: no copy is left in memory`
    throw fault(offset, problem)
  }

  /** A page of a device that is zram; undefined for a device that is not. */
  #fromZram(blockDevice: bigint, offset: number): PageContent | undefined {
    this.#zram ??= new Zram(this.#host, this.#pages)
    const name = this.#zram.nameOf(blockDevice)
    if (name === undefined) return undefined
    const { bytes, how } = this.#zram.read(blockDevice, name, offset)
    return { from: 'zram', how, bytes }
  }
}

function fault(offset: number, detail: string): FaultError {
  return new FaultError('swap', offset * PAGE_SIZE, 'swapped', detail)
}
