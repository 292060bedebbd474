// SPDX-License-Identifier: GPL-2.0-or-later
// Reading for the sake of having read: what a recording dump is asked for is what its slice holds.

import { PAGE_SIZE } from '../dump/format.ts'
import { DumpError, FaultError } from '../errors.ts'
import { type Host } from './host.ts'

/** No range of the kernel that is read whole is larger; a size beyond it is not believed. */
const MAX_BYTES = 256 << 20
/** A text of the kernel that is pointed at: the names of flags, zones and states are shorter. */
const TEXT_BYTES = 64

/** Reads pages of one kernel and keeps nothing. What is not there is passed over. */
export class Touch {
  readonly host: Host

  constructor(host: Host) {
    this.host = host
  }

  /** Reads every page of a range that the dump has. */
  range(start: bigint, length: number): void {
    if (length <= 0 || length > MAX_BYTES) return
    const end = start + BigInt(length)
    for (let at = start & ~0xfffn; at < end; at += BigInt(PAGE_SIZE)) {
      try {
        this.host.space.u8(at)
      } catch (error) {
        if (!(error instanceof FaultError)) throw error
      }
    }
  }

  /** Reads from one symbol up to another, when the kernel has both. */
  between(from: string, to: string): void {
    const start = this.host.symbols.address(from)
    const end = this.host.symbols.address(to)
    if (start !== undefined && end !== undefined) this.range(start, Number(end - start))
  }

  /** Reads a variable or function, `length` bytes or up to the next symbol. */
  symbol(name: string, length = this.host.symbols.size(name) ?? 8): void {
    const at = this.host.symbols.address(name)
    if (at !== undefined) this.range(at, length)
  }

  /** Reads a text at a pointer. */
  text(at: bigint): void {
    this.range(at, TEXT_BYTES)
  }

  /** Reads a structure of a named type. */
  struct(name: string, at: bigint): void {
    if (at !== 0n) this.range(at, this.host.types.sizeOf(name) ?? 0)
  }

  /** Does one part. What this kernel or this dump does not have for it ends that part, and no other. */
  part(read: () => void): void {
    try {
      read()
    } catch (error) {
      if (!(error instanceof DumpError)) throw error
    }
  }
}
