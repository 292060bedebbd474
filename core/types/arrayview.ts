// SPDX-License-Identifier: GPL-2.0-or-later
// An array of the dumped kernel as a cell sees it.

import { hex } from '../bytes/hex.ts'
import { UsageError } from '../errors.ts'
import { lineOf, plain } from './plain.ts'

/** So many elements are printed, and put in JSON. */
const SHOWN = 8
const IN_JSON = 32

/**
 * An array member. Elements are read when they are asked for. An array that is open at the end of its struct has the
 * length 0, since only its owner knows better; `at` then takes every index that is not negative.
 */
export class ArrayView<T> implements Iterable<T> {
  /** The address of the first element. */
  readonly $addr: bigint
  /** The number of elements as declared. */
  readonly length: number
  /** The size of an element in bytes. */
  readonly $step: number
  readonly #read: (address: bigint) => T

  /** @internal */
  constructor(address: bigint, length: number, step: number, read: (address: bigint) => T) {
    this.$addr = address
    this.length = length
    this.$step = step
    this.#read = read
  }

  /** The element at an index; a negative one counts from the end. Undefined outside of the array. */
  at(index: number): T | undefined {
    if (!Number.isSafeInteger(index)) {
      throw new UsageError(`an array's index is a whole number, not ${index}`)
    }
    const from = index < 0 ? index + this.length : index
    if (from < 0 || (this.length > 0 && from >= this.length)) return undefined
    return this.#read(this.$addr + BigInt(from) * BigInt(this.$step))
  }

  *[Symbol.iterator](): Generator<T> {
    for (let i = 0; i < this.length; i++) {
      yield this.#read(this.$addr + BigInt(i) * BigInt(this.$step))
    }
  }

  /** The address, the length and the first elements. */
  toJSON(): { $addr: string; length: number; first: unknown[] } {
    const count = Math.min(this.length, IN_JSON)
    const first = Array.from({ length: count }, (_, i) => plain(() => this.at(i)))
    return { $addr: hex(this.$addr), length: this.length, first }
  }

  /** The first elements in one line. */
  toString(): string {
    const count = Math.min(this.length, SHOWN)
    const shown = Array.from({ length: count }, (_, i) => lineOf(() => this.at(i)))
    if (this.length > count) shown.push(`… ${this.length - count} more`)
    return `[${shown.join(', ')}]`
  }

  /** What the console and an error message show. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `${this.length} elements at ${hex(this.$addr)}: ${this.toString()}`
  }
}
