// SPDX-License-Identifier: GPL-2.0-or-later
// What inference stands on: memory that may have gaps, read as words, and symbols that say what a pointer points at.

import { PAGE_SIZE } from '../dump/format.ts'
import { FaultError } from '../errors.ts'
import { type Host } from '../linux/host.ts'
import { type Space } from '../space/space.ts'
import { TEXT_MAP } from '../space/kva.ts'

/** What of a host can be asked before anything is known of its structures. */
export type Evidence = Pick<Host, 'space' | 'symbols' | 'vmcoreinfo' | 'rules' | 'bases'>

const PAGE_MASK = ~0xfffn
/** IS_ERR_VALUE of include/linux/err.h: the last page holds error numbers, never objects. */
const ERRORS = 0xfffffffffffff000n
/** No walk of inference goes on for longer. */
export const WALK_LIMIT = 1 << 20

/** Bytes of one object, as many as the dump has from its start on. */
export class Block {
  readonly address: bigint
  /** How many bytes are there. */
  readonly length: number
  readonly #view: DataView

  constructor(address: bigint, bytes: Uint8Array) {
    this.address = address
    this.length = bytes.length
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  /** The 64-bit word at an offset, or undefined behind the end. */
  word(offset: number): bigint | undefined {
    return offset >= 0 && offset + 8 <= this.length
      ? this.#view.getBigUint64(offset, true)
      : undefined
  }

  /** The same for 32 and 16 bits. */
  u32(offset: number): number | undefined {
    return offset >= 0 && offset + 4 <= this.length ? this.#view.getUint32(offset, true) : undefined
  }

  u16(offset: number): number | undefined {
    return offset >= 0 && offset + 2 <= this.length ? this.#view.getUint16(offset, true) : undefined
  }

  /** Letters up to a NUL within `size` bytes; undefined when they are not printable, not ended, or not padded with NUL. */
  letters(offset: number, size: number): string | undefined {
    if (offset < 0 || offset + size > this.length) return undefined
    let text = ''
    let ended = false
    for (let i = 0; i < size; i++) {
      const byte = this.#view.getUint8(offset + i)
      if (byte === 0) ended = true
      else if (ended || byte < 0x20 || byte > 0x7e) return undefined
      else text += String.fromCharCode(byte)
    }
    return ended && text !== '' ? text : undefined
  }
}

/** Reads a dump for inference: what is not there is undefined, never a throw. */
export class Ground {
  readonly host: Evidence
  readonly #pages = new Map<bigint, DataView | null>()
  readonly #names = new Map<bigint, string | null>()
  readonly #kernelHalf: bigint

  constructor(host: Evidence) {
    this.host = host
    this.#kernelHalf = host.rules.levels === 5 ? 0xff00000000000000n : 0xffff800000000000n
  }

  get space(): Space {
    return this.host.space
  }

  /** True for what can be a pointer to an object of the kernel. */
  isPointer(value: bigint | undefined): value is bigint {
    return value !== undefined && value >= this.#kernelHalf && value < ERRORS
  }

  /** True for an address in the image of the kernel or in a module: functions, constants and variables. */
  isStatic(value: bigint | undefined): boolean {
    return value !== undefined && value >= TEXT_MAP && value < ERRORS
  }

  /** True for an address that a process can have. */
  isUser(value: bigint | undefined): value is bigint {
    return value !== undefined && value < 1n << BigInt(11 + 9 * this.host.rules.levels)
  }

  /** The 64-bit word at an address; undefined where the dump lacks it, and at an address that was itself missing. */
  word(address: bigint | undefined): bigint | undefined {
    if (address === undefined) return undefined
    const at = Number(address & 0xfffn)
    if (at > PAGE_SIZE - 8) return this.block(address, 8).word(0)
    return this.#page(address & PAGE_MASK)?.getBigUint64(at, true)
  }

  u32(address: bigint | undefined): number | undefined {
    if (address === undefined) return undefined
    const at = Number(address & 0xfffn)
    if (at > PAGE_SIZE - 4) return this.block(address, 4).u32(0)
    return this.#page(address & PAGE_MASK)?.getUint32(at, true)
  }

  /** Up to `length` bytes, as far as the dump has them without a gap: none at an address that was missing. */
  block(address: bigint | undefined, length: number): Block {
    if (address === undefined) return new Block(0n, new Uint8Array(0))
    const bytes = new Uint8Array(length)
    let done = 0
    while (done < length) {
      const at = address + BigInt(done)
      const page = this.#page(at & PAGE_MASK)
      if (page === undefined) break
      const from = Number(at & 0xfffn)
      const count = Math.min(PAGE_SIZE - from, length - done)
      bytes.set(new Uint8Array(page.buffer, page.byteOffset + from, count), done)
      done += count
    }
    return new Block(address, bytes.subarray(0, done))
  }

  /** The printable text at an address, ended by a NUL within `limit` bytes. */
  text(address: bigint, limit: number): string | undefined {
    const block = this.block(address, limit)
    let text = ''
    for (let i = 0; i < block.length; i++) {
      const byte = block.u16(i) ?? block.u16(i - 1) ?? 0
      const letter = i + 1 < block.length ? byte & 0xff : byte >> 8
      if (letter === 0) return text
      if (letter < 0x20 || letter === 0x7f) return undefined
      text += String.fromCharCode(letter)
    }
    return undefined
  }

  /** The symbol of the kernel's image that begins exactly at an address. */
  nameAt(address: bigint | undefined): string | undefined {
    if (address === undefined || address < TEXT_MAP) return undefined
    let name = this.#names.get(address)
    if (name === undefined) {
      const nearest = this.host.symbols.nearest(address)
      name = nearest?.offset === 0 ? nearest.name : null
      this.#names.set(address, name)
    }
    return name ?? undefined
  }

  #page(address: bigint): DataView | undefined {
    let page = this.#pages.get(address)
    if (page === undefined) {
      page = this.#read(address)
      this.#pages.set(address, page)
    }
    return page ?? undefined
  }

  #read(address: bigint): DataView | null {
    if (!this.isPointer(address)) return null
    try {
      return new DataView(this.space.bytes(address, PAGE_SIZE).buffer)
    } catch (error) {
      if (error instanceof FaultError) return null
      throw error
    }
  }
}

/** The nodes of a circular list without its head; undefined when it does not come back, or its links disagree. */
export function ringOf(ground: Ground, head: bigint, limit = WALK_LIMIT): bigint[] | undefined {
  const nodes: bigint[] = []
  let before = head
  for (let node = ground.word(head); node !== head; node = ground.word(before)) {
    if (!ground.isPointer(node) || ground.word(node + 8n) !== before) return undefined
    if (nodes.push(node) > limit) return undefined
    before = node
  }
  return ground.word(head + 8n) === before ? nodes : undefined
}
