// SPDX-License-Identifier: GPL-2.0-or-later
// A value that a helper has made to be shown, by the protocol that other kernels and libraries know too.

import { inspect } from 'node:util'

/** The content of one display message: a value in several formats, of which a viewer takes the best it knows. */
export interface Bundle {
  /** By mime type: JSON for types that end in `+json`, text for all others. */
  readonly data: Readonly<Record<string, unknown>>
  readonly metadata: Readonly<Record<string, unknown>>
}

/**
 * The protocol by which a value of any library says how it is shown: a method under this symbol that
 * returns a mime bundle. Deno's kernel brought it.
 */
export const displaySymbol: unique symbol = Symbol.for('Jupyter.display')

/** Something to show, as the last expression of a cell or by `display`. */
export class Drawn {
  readonly #bundle: () => Bundle | Promise<Bundle>
  readonly #text: string

  /** `text` is what a console shows of it. */
  constructor(text: string, bundle: () => Bundle | Promise<Bundle>) {
    this.#text = text
    this.#bundle = bundle
  }

  /** The content of its display message. */
  [displaySymbol](): Bundle | Promise<Bundle> {
    return this.#bundle()
  }

  /** Its text. */
  [inspect.custom](): string {
    return this.#text
  }
}

/** Whether content of this mime type is JSON; all other is text. */
export function isJsonType(type: string): boolean {
  return type === 'application/json' || type.endsWith('+json')
}

/** A copy that JSON can hold: bigints, which are addresses here, become hex text. Throws on cycles. */
export function cleanJson(value: unknown): unknown {
  const text: unknown = JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'bigint' ? `${member < 0n ? '-' : ''}0x${abs(member).toString(16)}` : member,
  )
  return typeof text === 'string' ? JSON.parse(text) : null
}

function abs(value: bigint): bigint {
  return value < 0n ? -value : value
}
