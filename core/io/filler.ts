// SPDX-License-Identifier: GPL-2.0-or-later
// Fills columns with addresses out of texts and numbers, and keeps what is none with its line.

import { hex } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { BATCH_ROWS } from '../bulk/pages.ts'
import { NO_ADDRESS } from '../bulk/states.ts'

/** A line of a file that is no guest physical address; it keeps its row. */
export interface BadLine {
  /** `line 5`, or `row 5` where a file has no lines; both from 1 on. */
  readonly where: string
  /** One sentence. */
  readonly why: string
}

/** Some addresses of a file, in its order. */
export interface AddressBatch {
  /** NO_ADDRESS for what is no number; a number of more than 52 bits as it is. */
  readonly gpas: BigUint64Array
  /** What among them is no guest physical address. */
  readonly bad: readonly BadLine[]
  /** How many bytes of the file were read so far. */
  readonly bytesRead: number
}

/** Above this the upper half of a guest physical address, which has 52 bits, cannot be. */
const HIGH_END = 2 ** 20
const MOST_SHOWN = 40

/** A column that is filled row by row. */
export class AddressFiller {
  /** Rows that are there. */
  count = 0
  readonly #unit: 'line' | 'row'
  readonly #radix: 10 | 16
  #column = new BigUint64Array(BATCH_ROWS)
  #halves = new Uint32Array(this.#column.buffer)
  #bad: BadLine[] = []

  /** `radix` is that of digits without `0x`. */
  constructor(unit: 'line' | 'row', radix: 10 | 16) {
    this.#unit = unit
    this.#radix = radix
  }

  get isFull(): boolean {
    return this.count === BATCH_ROWS
  }

  /** The rows so far; the next ones go to a new column. */
  take(bytesRead: number): AddressBatch {
    const batch = { gpas: this.#column.subarray(0, this.count), bad: this.#bad, bytesRead }
    this.#column = new BigUint64Array(BATCH_ROWS)
    this.#halves = new Uint32Array(this.#column.buffer)
    this.#bad = []
    this.count = 0
    return batch
  }

  /** One row from ASCII text; `number` is its line. */
  text(bytes: Uint8Array, from: number, to: number, number: number): void {
    let start = from
    let end = to
    while (start < end && isBlank(bytes[start])) start++
    while (end > start && isBlank(bytes[end - 1])) end--
    const hasPrefix = bytes[start] === 0x30 && ((bytes[start + 1] ?? 0) | 0x20) === 0x78
    const good =
      hasPrefix || this.#radix === 16
        ? this.#hex(bytes, hasPrefix ? start + 2 : start, end)
        : this.#decimal(bytes, start, end)
    if (good) this.#checked(number)
    else this.#refuse(number, new TextDecoder().decode(bytes.subarray(start, end)))
  }

  /** One row from a value of a file with types. */
  value(value: unknown, number: number): void {
    if (typeof value === 'string') {
      const bytes = new TextEncoder().encode(value)
      this.text(bytes, 0, bytes.length, number)
      return
    }
    const isWhole = typeof value === 'bigint' || Number.isSafeInteger(value)
    const whole = isWhole ? BigInt(value as bigint | number) : -1n
    if (whole < 0n || whole >= NO_ADDRESS) {
      this.#refuse(number, value)
      return
    }
    this.#column[this.count] = whole
    this.#checked(number)
  }

  /** Rows from 64-bit numbers, of which none is missing: as many as there is room for. Gives how many were taken. */
  numbers(values: BigUint64Array, from: number, number: number): number {
    const taken = Math.min(values.length - from, BATCH_ROWS - this.count)
    this.#column.set(values.subarray(from, from + taken), this.count)
    for (let i = 0; i < taken; i++) this.#checked(number + i)
    return taken
  }

  /** The row was put: is it a guest physical address? */
  #checked(number: number): void {
    const high = this.#halves[2 * this.count + 1] ?? 0
    if (high >= HIGH_END) {
      const value = hex(this.#column[this.count] ?? 0n)
      const why = `${value} has more than the 52 bits of a guest physical address`
      this.#bad.push({ where: `${this.#unit} ${number}`, why })
    }
    this.count++
  }

  #refuse(number: number, value: unknown): void {
    this.#column[this.count++] = NO_ADDRESS
    const wanted =
      this.#radix === 16
        ? 'hex with or without 0x, such as 34de5840'
        : 'hex with 0x, such as 0x34de5840, or a decimal number'
    const text = typeof value === 'string' ? `"${printable(value, MOST_SHOWN)}"` : valueText(value)
    const why = `${text} is not an address; wanted ${wanted}`
    this.#bad.push({ where: `${this.#unit} ${number}`, why })
  }

  #hex(bytes: Uint8Array, from: number, to: number): boolean {
    if (to <= from || to - from > 16) return false
    let low = 0
    let high = 0
    for (let at = from; at < to; at++) {
      const digit = digitOf(bytes[at] ?? 0)
      if (digit < 0) return false
      high = (high << 4) | (low >>> 28)
      low = (low << 4) | digit
    }
    // All 64 bits set stand for none.
    if (low === -1 && high === -1) return false
    this.#halves[2 * this.count] = low
    this.#halves[2 * this.count + 1] = high
    return true
  }

  #decimal(bytes: Uint8Array, from: number, to: number): boolean {
    if (to <= from || to - from > 20) return false
    let value = 0
    for (let at = from; at < to; at++) {
      const digit = (bytes[at] ?? 0) - 0x30
      if (digit < 0 || digit > 9) return false
      value = value * 10 + digit
    }
    if (value < 2 ** 53) {
      this.#halves[2 * this.count] = value >>> 0
      this.#halves[2 * this.count + 1] = value / 2 ** 32
      return true
    }
    const whole = BigInt(new TextDecoder().decode(bytes.subarray(from, to)))
    if (whole >= NO_ADDRESS) return false
    this.#column[this.count] = whole
    return true
  }
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d
}

function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

function valueText(value: unknown): string {
  const isPlain = ['number', 'bigint', 'boolean'].includes(typeof value)
  if (isPlain) return printable(String(value), MOST_SHOWN)
  return value === null || value === undefined ? 'null' : 'an object'
}
