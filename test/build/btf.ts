// SPDX-License-Identifier: GPL-2.0-or-later
// Writes BTF: types by calls that give their ids, then the bytes that a kernel would hold.

import { BTF } from '../../core/types/btfblob.ts'

/** A member as a test describes it: `bits` is its place in bits from the start of the struct. */
export interface WrittenMember {
  readonly name: string
  readonly type: number
  readonly bits: number
  /** The width of a bit-field. */
  readonly width?: number
}

/** How the blob is written. */
export interface BtfOptions {
  /** What ids and strings of split BTF count on from. */
  readonly base?: BtfBuilder
  /** Writes the header of 7.1 with a layout section, that says how to step over `unknownKind`. */
  readonly layout?: boolean
}

/** A kind that no reader knows yet: a record with 4 bytes behind it and 8 for each element. */
export const unknownKind = 20

/** Builds one BTF. Each call adds a type and gives its id. */
export class BtfBuilder {
  readonly firstId: number
  readonly firstString: number
  readonly #options: BtfOptions
  readonly #words: number[] = []
  readonly #strings = new Map<string, number>()
  #stringBytes = 0
  #next: number

  constructor(options: BtfOptions = {}) {
    const { base } = options
    this.#options = options
    this.firstId = base === undefined ? 1 : base.nextId
    this.firstString = base === undefined ? 0 : base.firstString + base.stringBytes
    this.#next = this.firstId
    if (base === undefined) this.string('')
  }

  /** The id that the next type will have: what a type refers to before it is written. */
  get nextId(): number {
    return this.#next
  }

  get stringBytes(): number {
    return this.#stringBytes
  }

  /** The offset of a string; those of the base are used again, as encoders do. */
  string(text: string): number {
    const known = this.#options.base?.known(text) ?? this.#strings.get(text)
    if (known !== undefined) return known
    const offset = this.firstString + this.#stringBytes
    this.#strings.set(text, offset)
    this.#stringBytes += Buffer.byteLength(text) + 1
    return offset
  }

  known(text: string): number | undefined {
    return this.#strings.get(text)
  }

  /** Any record, with the words that follow it. */
  record(
    name: string,
    kind: number,
    vlen: number,
    flag: boolean,
    third: number,
    tail: number[],
  ): number {
    const info = ((flag ? 1 : 0) * 2 ** 31 + kind * 2 ** 24 + vlen) >>> 0
    this.#words.push(this.string(name), info, third, ...tail)
    return this.#next++
  }

  int(
    name: string,
    size: number,
    { signed = false, bool = false, bits = size * 8, offset = 0 } = {},
  ): number {
    const encoding = (signed ? 1 << 24 : 0) | (bool ? 4 << 24 : 0) | (offset << 16) | bits
    return this.record(name, BTF.INT, 0, false, size, [encoding])
  }

  float(name: string, size: number): number {
    return this.record(name, BTF.FLOAT, 0, false, size, [])
  }

  pointer(target: number): number {
    return this.record('', BTF.PTR, 0, false, target, [])
  }

  typedef(name: string, target: number): number {
    return this.record(name, BTF.TYPEDEF, 0, false, target, [])
  }

  /** const, volatile or restrict of a type. */
  modifier(kind: 'CONST' | 'VOLATILE' | 'RESTRICT', target: number): number {
    return this.record('', BTF[kind], 0, false, target, [])
  }

  typeTag(name: string, target: number): number {
    return this.record(name, BTF.TYPE_TAG, 0, false, target, [])
  }

  forward(name: string, isUnion = false): number {
    return this.record(name, BTF.FWD, 0, isUnion, 0, [])
  }

  array(element: number, length: number): number {
    return this.record('', BTF.ARRAY, 0, false, 0, [element, element, length])
  }

  /** A struct; `widths` chooses between the two ways to write bit-fields (kind_flag), not only for those with a width. */
  struct(
    name: string,
    size: number,
    members: readonly WrittenMember[],
    { union = false, widths = true } = {},
  ): number {
    const tail = members.flatMap(({ name: own, type, bits, width = 0 }) => [
      this.string(own),
      type,
      widths ? width * 2 ** 24 + bits : bits,
    ])
    return this.record(name, union ? BTF.UNION : BTF.STRUCT, members.length, widths, size, tail)
  }

  union(name: string, size: number, members: readonly WrittenMember[]): number {
    return this.struct(name, size, members, { union: true })
  }

  enum(
    name: string,
    values: Readonly<Record<string, number>>,
    { signed = false, size = 4 } = {},
  ): number {
    const entries = Object.entries(values)
    const tail = entries.flatMap(([key, value]) => [this.string(key), value >>> 0])
    return this.record(name, BTF.ENUM, entries.length, signed, size, tail)
  }

  enum64(name: string, values: Readonly<Record<string, bigint>>, signed = false): number {
    const entries = Object.entries(values)
    const tail = entries.flatMap(([key, value]) => [
      this.string(key),
      Number(value & 0xffffffffn),
      Number((value >> 32n) & 0xffffffffn),
    ])
    return this.record(name, BTF.ENUM64, entries.length, signed, 8, tail)
  }

  /** The header, the records and the strings. */
  blob(): Uint8Array {
    const header = this.#options.layout === true ? 32 : 24
    const types = Buffer.alloc(this.#words.length * 4)
    this.#words.forEach((word, i) => types.writeUInt32LE(word >>> 0, i * 4))
    const strings = Buffer.from([...this.#strings.keys()].map((text) => `${text}\0`).join(''))
    const layout = Buffer.alloc(this.#options.layout === true ? (unknownKind + 1) * 4 : 0)
    if (layout.length > 0) layout.set([4, 8, 0, 0], unknownKind * 4)
    const head = Buffer.alloc(header)
    head.writeUInt16LE(0xeb9f, 0)
    head.writeUInt8(1, 2)
    head.writeUInt32LE(header, 4)
    head.writeUInt32LE(0, 8)
    head.writeUInt32LE(types.length, 12)
    head.writeUInt32LE(types.length, 16)
    head.writeUInt32LE(strings.length, 20)
    if (header === 32) {
      head.writeUInt32LE(types.length + strings.length, 24)
      head.writeUInt32LE(layout.length, 28)
    }
    return new Uint8Array(Buffer.concat([head, types, strings, layout]))
  }
}
