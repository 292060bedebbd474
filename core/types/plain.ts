// SPDX-License-Identifier: GPL-2.0-or-later
// Values of views as JSON and as one line of text.

import { hex } from '../bytes/hex.ts'
import { FaultError } from '../errors.ts'

/** A struct or array in memory, by its place. */
interface Place {
  readonly $type?: string
  readonly $addr: bigint
}

/**
 * A value as JSON can hold it: 64-bit integers and addresses as hex text, structs and arrays by type and address, and
 * for memory that the dump lacks the reason in angle brackets.
 */
export function plain(read: () => unknown): unknown {
  try {
    const value = read()
    if (typeof value === 'bigint') return hex(value)
    if (value instanceof Uint8Array) return Array.from(value)
    return isPlace(value) ? { $type: value.$type, $addr: hex(value.$addr) } : value
  } catch (error) {
    if (error instanceof FaultError) return `<${error.reason}>`
    throw error
  }
}

/** A text that is printed as it is, without the quotes of a member's text. */
export class Line {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** A value as one line of text: structs by type and address. */
export function lineOf(read: () => unknown): string {
  try {
    const value = read()
    if (value instanceof Line) return value.text
    if (value === null) return 'NULL'
    if (typeof value === 'bigint') return hex(value)
    if (typeof value === 'number' || typeof value === 'boolean') return String(value)
    if (isPlace(value)) return `${value.$type ?? ''} ${hex(value.$addr)}`.trimStart()
    return JSON.stringify(value instanceof Uint8Array ? Array.from(value) : value)
  } catch (error) {
    if (error instanceof FaultError) return `<${error.reason}>`
    throw error
  }
}

function isPlace(value: unknown): value is Place {
  return typeof value === 'object' && value !== null && '$addr' in value
}
