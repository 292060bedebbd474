// SPDX-License-Identifier: GPL-2.0-or-later
// zsmalloc: the memory of compressed pages. From a handle to the bytes of its object, which can lie in two pages.

import { hex } from '../../bytes/hex.ts'
import { PAGE_SIZE } from '../../dump/format.ts'
import { CorruptError } from '../../errors.ts'
import { address, arrayLength, layout, optional, pointer, uint } from '../../types/layout.ts'
import { type Types } from '../../types/type.ts'
import { type Host } from '../host.ts'
import { type Pages } from '../page.ts'

/** Every object but a huge one begins with its own handle (ZS_HANDLE_SIZE of mm/zsmalloc.c). */
const HANDLE_BYTES = 8
/** OBJ_ALLOCATED_TAG, in that word. */
const ALLOCATED = 1n
/** ZSPAGE_MAGIC, in all kernels that have struct zspage (4.7 on). */
const MAGIC = 0x58
/** No object is larger than a page (ZS_MAX_ALLOC_SIZE). */
const MAX_OBJECT = PAGE_SIZE

/**
 * What a handle leads to: a frame above `shift` bits, and the object's number in its zspage in the low bits, above
 * `tag` of them. Bits above the number are its class since 7.x. Macros only, so no type tells them apart: an object is
 * taken when it carries the handle that led to it. Newest first.
 */
const forms = [
  // MAX_POSSIBLE_PHYSMEM_BITS is 52 wherever five levels are built in, and 46 before.
  { shift: 24n, tag: 0n },
  { shift: 24n, tag: 1n },
  { shift: 30n, tag: 1n },
] as const
const NUMBER_BITS = 15

type Form = (typeof forms)[number]

/** An object found: where it begins, and how large it may be. */
interface Found {
  readonly pfn: number
  /** The first byte of its content in the page `pfn`; can be PAGE_SIZE, which is the start of the next page. */
  readonly from: number
  readonly size: number
}

/** The pools of zsmalloc of one host. `types` are those of the module, or of the kernel where it is built in. */
export class Zsmalloc {
  readonly #host: Host
  readonly #pages: Pages
  readonly #page
  readonly #zspage
  readonly #class
  readonly #pool
  readonly #classes: number
  readonly #hugeFlag: bigint

  constructor(host: Host, pages: Pages, types: Types) {
    this.#host = host
    this.#pages = pages
    // A type of its own since 6.13, over the same memory as struct page. Before, 5.17 moved the link to the next page
    // from freelist to index, and with it came zspage.huge.
    const hasHuge = types.struct('zspage')?.member('huge') !== undefined
    this.#page = types.has('zpdesc')
      ? layout(types, 'zpdesc', {
          zspage: pointer('zspage'),
          next: pointer('next'),
          handle: pointer('handle'),
        })
      : layout(types, 'page', {
          zspage: pointer('private'),
          next: pointer(hasHuge ? 'index' : 'freelist'),
          handle: pointer('index'),
        })
    this.#zspage = layout(types, 'zspage', {
      class: uint('class'),
      magic: uint('magic'),
      huge: optional(uint('huge')),
    })
    this.#class = layout(types, 'size_class', { size: uint('size'), index: uint('index') })
    this.#pool = layout(types, 'zs_pool', { classes: address('size_class') })
    this.#classes = arrayLength(types, 'zs_pool', 'size_class') ?? 0
    this.#hugeFlag = 1n << BigInt(types.enumerators('pageflags')?.get('PG_owner_priv_1') ?? 0)
  }

  /**
   * The first `length` bytes of the object of a handle, with its pool. Throws CorruptError when the handle leads to no
   * object that carries it, and FaultError when a page of it is not in the dump.
   */
  read(pool: bigint, handle: bigint, length: number): Uint8Array {
    const word = this.#host.space.u64(handle)
    for (const form of forms) {
      const found = this.#object(pool, handle, word, form)
      if (found === undefined) continue
      if (length > found.size) {
        const problem = `has objects of ${found.size} bytes, but ${length} are wanted`
        throw new CorruptError('zspage', handle, problem)
      }
      return this.#bytes(found, length)
    }
    throw new CorruptError('zsmalloc handle', handle, `${hex(word)} leads to no object of its own`)
  }

  #object(pool: bigint, handle: bigint, word: bigint, { shift, tag }: Form): Found | undefined {
    const { space, memory } = this.#host
    const pfn = this.#pages.ifFrame(Number(word >> shift))
    if (pfn === undefined) return undefined
    const number = Number(BigInt.asUintN(NUMBER_BITS, word >> tag))
    const at = this.#pages.addressOf(pfn)
    const page = this.#page.at(space, at)
    // A frame of somebody else has any word there.
    if (page.zspage < this.#host.bases.directMap.value) return undefined
    const zspage = this.#zspage.at(space, page.zspage)
    if (zspage.magic !== MAGIC || zspage.class >= this.#classes) return undefined
    const { classes } = this.#pool.at(space, pool)
    const size = this.#class.at(space, space.u64(classes + BigInt(zspage.class * 8)))
    if (size.size === 0 || size.size > MAX_OBJECT) {
      throw new CorruptError('size_class.size', size.address, `is ${size.size}`)
    }
    // In huge zspages the one object fills the page, and its handle is in the page's own description.
    if (zspage.huge === 1 || (zspage.huge === undefined && this.#hasHugeFlag(at))) {
      const isOwn = (page.handle | ALLOCATED) === (handle | ALLOCATED)
      return isOwn ? { pfn, from: 0, size: PAGE_SIZE } : undefined
    }
    const from = (size.size * number) % PAGE_SIZE
    const bytes = memory.page(pfn, 'an object of zsmalloc')
    const view = new DataView(bytes.buffer, bytes.byteOffset, PAGE_SIZE)
    if (from + HANDLE_BYTES > PAGE_SIZE) return undefined
    if (view.getBigUint64(from, true) !== (handle | ALLOCATED)) return undefined
    return { pfn, from: from + HANDLE_BYTES, size: size.size - HANDLE_BYTES }
  }

  /** PG_owner_priv_1 marks the page of a huge object until 5.16 (PageHugeObject). */
  #hasHugeFlag(page: bigint): boolean {
    return (this.#host.space.u64(page) & this.#hugeFlag) !== 0n
  }

  /** An object that does not fit goes on at the start of the next page of its zspage. */
  #bytes({ pfn, from }: Found, length: number): Uint8Array {
    const { memory, space } = this.#host
    const out = new Uint8Array(length)
    const first = memory.page(pfn, 'an object of zsmalloc').subarray(from, from + length)
    out.set(first)
    if (first.length < length) {
      const { next } = this.#page.at(space, this.#pages.addressOf(pfn))
      const frame = this.#pages.frameAt(next)
      if (frame === undefined) {
        throw new CorruptError('zspage', next, `is no struct page, but page ${pfn} goes on there`)
      }
      const rest = memory.page(frame, 'the second part of an object of zsmalloc')
      out.set(rest.subarray(0, length - first.length), first.length)
    }
    return out
  }
}
