// SPDX-License-Identifier: GPL-2.0-or-later
// A kernel address space over memory that a test builds: address and physical address are the same number.

import { PAGE_SIZE } from '../../core/dump/format.ts'
import { FaultError } from '../../core/errors.ts'
import { Space } from '../../core/space/space.ts'
import { type BuiltMemory } from './memory.ts'

/** Memory that a test built, read at its physical addresses. */
export class FlatSpace extends Space {
  readonly name = 'test'
  readonly #memory: BuiltMemory

  constructor(memory: BuiltMemory) {
    super()
    this.#memory = memory
  }

  protected pageAt(address: bigint): Uint8Array {
    const page = this.#memory.page(Number(address) / PAGE_SIZE)
    if (page instanceof Uint8Array) return page
    throw new FaultError(this.name, address, page.why, page.detail)
  }
}
