// SPDX-License-Identifier: GPL-2.0-or-later
// Enums of BTF: constants of 32 bits, or of 64.

import { BTF, type BtfBlob } from './btfblob.ts'
import { type EnumType } from './type.ts'

/** An enum whose constants are read when they are first asked for. */
export class BtfEnum implements EnumType {
  readonly kind = 'enum'
  readonly name: string
  readonly size: number
  readonly signed: boolean
  readonly #blob: BtfBlob
  readonly #at: number
  #enumerators: ReadonlyMap<string, number> | undefined

  constructor(blob: BtfBlob, at: number, name: string, size: number) {
    this.name = name
    this.size = size
    this.signed = isSigned(blob, at)
    this.#blob = blob
    this.#at = at
  }

  get enumerators(): ReadonlyMap<string, number> {
    this.#enumerators ??= this.#read()
    return this.#enumerators
  }

  #read(): Map<string, number> {
    const found = new Map<string, number>()
    for (const entry of entries(this.#blob, this.#at)) {
      const value = valueAt(this.#blob, this.#at, entry)
      if (value === undefined) continue
      const name = this.#blob.text(this.#blob.view.getUint32(entry, true))
      if (!found.has(name)) found.set(name, value)
    }
    return found
  }
}

/** The value of one constant of the enum whose record is at `at`, if it has it. */
export function enumeratorOf(blob: BtfBlob, at: number, letters: Uint8Array): number | undefined {
  for (const entry of entries(blob, at)) {
    if (blob.spells(blob.view.getUint32(entry, true), letters)) return valueAt(blob, at, entry)
  }
  return undefined
}

function* entries(blob: BtfBlob, at: number): Generator<number> {
  const size = blob.kind(at) === BTF.ENUM64 ? 12 : 8
  const count = blob.vlen(at)
  for (let i = 0; i < count; i++) yield at + 12 + i * size
}

/** The kind_flag of an enum says it since 6.0; encoders before that left it clear, and all constants were signed. */
function isSigned(blob: BtfBlob, at: number): boolean {
  return blob.flag(at) || !blob.flagsEnums
}

/** Undefined for a value that a number cannot hold exactly. */
function valueAt(blob: BtfBlob, at: number, entry: number): number | undefined {
  const { view } = blob
  if (blob.kind(at) === BTF.ENUM) {
    return isSigned(blob, at) ? view.getInt32(entry + 4, true) : view.getUint32(entry + 4, true)
  }
  const low = BigInt(view.getUint32(entry + 4, true))
  const bits = (BigInt(view.getUint32(entry + 8, true)) << 32n) | low
  const value = Number(blob.flag(at) ? BigInt.asIntN(64, bits) : bits)
  return Number.isSafeInteger(value) ? value : undefined
}
