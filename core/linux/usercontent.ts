// SPDX-License-Identifier: GPL-2.0-or-later
// The content of a page of a process, as the process would read it, wherever the host keeps it.

import { hex } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { FaultError, UnsupportedError } from '../errors.ts'
import { type UserSpace } from '../space/uva.ts'
import { type ContentSources, PageCache } from './pagecache.ts'
import { type PageContent, ZEROS } from './swap/swapcontent.ts'
import { type Vmas } from './vma.ts'

const NAME = 'user virtual'

/** The same for a process, whose memory areas say what was never touched. */
export interface UserSources extends ContentSources {
  readonly vmas: Vmas
}

/** The contents of user pages of one host. */
export class UserContents {
  readonly #linux: UserSources
  #cache: PageCache | undefined

  constructor(linux: UserSources) {
    this.#linux = linux
  }

  /**
   * The page that holds a user virtual address of the process with this `mm_struct`. Throws FaultError that says why
   * its content is not there, UnsupportedError for places that are not read, CorruptError for damaged structures.
   */
  read(mm: bigint, space: UserSpace, address: bigint): PageContent {
    const { end } = space.walk(address)
    const inPage = Number(address % BigInt(PAGE_SIZE))
    switch (end.kind) {
      case 'page':
        return this.#frame(address, end.hpa - inPage, 'hpa')
      case 'swap':
        return this.ofEntry(mm, address, end.value, Number(address % BigInt(end.pageSize)))
      case 'not-in-dump': {
        const where = `its page table at ${hex(end.table)} is not in the dump: ${end.missing.detail}`
        throw new FaultError(NAME, address, end.missing.why, where)
      }
      case 'empty':
        return this.#untouched(mm, address)
      case 'bad':
        throw new FaultError(NAME, address, 'not-mapped', 'its page table is damaged')
      case 'non-canonical':
        throw new FaultError(NAME, address, 'non-canonical', 'not a canonical address')
    }
  }

  /** The content behind an entry that is not present; `offset` is the address within what the entry stands for. */
  ofEntry(mm: bigint, address: bigint, value: bigint, offset: number): PageContent {
    const low = Number(value & 0xffffffffn)
    const entry = this.#linux.swap.format.decode(low, Number(value >> 32n))
    const page = Math.floor(offset / PAGE_SIZE)
    switch (entry.kind) {
      case 'swap':
        return this.#linux.swapContents.read(entry.type, entry.offset + page)
      // Nobody may write to the page while it is moved or lent, so its frame still has what it held.
      case 'migration':
        return this.#frame(address, (entry.pfn + page) * PAGE_SIZE, 'being moved away from hpa')
      case 'device-exclusive':
        return this.#frame(address, (entry.pfn + page) * PAGE_SIZE, 'lent to a device, hpa')
      case 'hwpoison':
        throw new FaultError(NAME, address, 'lost', 'a memory error took its frame')
      case 'device-private':
        throw new FaultError(NAME, address, 'lost', "the page is in a device's own memory")
      case 'marker': {
        // Shared memory keeps the write protection of a page that no entry names; the page itself is where it was.
        if (entry.marks.join() === 'uffd-wp') return this.#untouched(mm, address)
        const marks = entry.marks.join(', ') || `value ${entry.offset}`
        throw new FaultError(NAME, address, 'not-mapped', `the kernel left a marker: ${marks}`)
      }
      case 'untold':
        throw new UnsupportedError(entry.problem, 'swap entries before L1TF')
      case 'nonlinear': {
        const problem = `page ${entry.offset} of its file, put there by remap_file_pages, is not looked for`
        throw new FaultError(NAME, address, 'not-mapped', problem)
      }
      case 'unknown': {
        const problem = `its entry has type ${entry.type}, which this kernel does not use`
        throw new FaultError(NAME, address, 'not-mapped', problem)
      }
    }
  }

  #frame(address: bigint, hpa: number, what: string): PageContent {
    const page = this.#linux.host.memory.tryPage(hpa / PAGE_SIZE)
    if (page instanceof Uint8Array) {
      return { from: 'memory', how: `${what} ${hex(hpa)}`, bytes: page }
    }
    throw new FaultError(NAME, address, page.why, `its page at hpa ${hex(hpa)}: ${page.detail}`)
  }

  /** What a first read would find: of shared memory the page cache, of private memory zeros. */
  #untouched(mm: bigint, address: bigint): PageContent {
    const vma = this.#linux.vmas.find(mm, address)
    if (vma === undefined) throw new FaultError(NAME, address, 'not-mapped', 'no VMA covers it')
    if (vma.file !== null || vma.protection.endsWith('s')) {
      this.#cache ??= new PageCache(this.#linux)
      const index = vma.pageOffset + ((address - vma.start) >> 12n)
      return this.#cache.read(vma, index, address)
    }
    // A VMM that fills the page on the first touch (userfaultfd) would give something else than zeros.
    if (vma.flags.includes('UFFD_MISSING')) {
      const problem = 'never touched, and its owner fills such pages itself (userfaultfd)'
      throw new FaultError(NAME, address, 'not-mapped', problem)
    }
    return { from: 'zeros', how: 'never touched, reads as zeros', bytes: ZEROS }
  }
}
