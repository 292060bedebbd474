// SPDX-License-Identifier: GPL-2.0-or-later
// Thrift's compact protocol (thrift, doc/specs/thrift-compact-protocol.md), read field by field: what nobody asked for
// is left out without memory, and every count is held against the bytes that are left.

import { FormatError } from '../errors.ts'

/** Reads one field of a struct; `type` is what the bytes say that it is, and is checked by what reads it. */
export type FieldReader = (thrift: Thrift, type: number) => void
/** What to do with the fields of a struct, by their numbers. */
export type Fields = Readonly<Record<number, FieldReader>>

const TRUE = 1
const FALSE = 2
const BYTE = 3
const BINARY = 8
const LIST = 9
const STRUCT = 12
/** Bytes of a number by its type: byte, double. Those of 16, 32 and 64 bits have up to ten, seven bits in each. */
const MOST_VARINT = 10
const MOST_DEPTH = 32

/** The bytes, and how far they are read. */
export class Thrift {
  /** Offset of the next byte. */
  at = 0
  readonly #bytes: Uint8Array
  readonly #base: number
  #depth = 0

  /** `base` is where the bytes begin in the file, for messages. */
  constructor(bytes: Uint8Array, base: number) {
    this.#bytes = bytes
    this.#base = base
  }

  /** A struct, which the bytes go on with. */
  struct(fields: Fields, type = STRUCT): void {
    this.#want(type === STRUCT, 'a struct', type)
    this.#nest(() => {
      let number = 0
      for (;;) {
        const head = this.#byte()
        if (head === 0) return
        number = head >> 4 === 0 ? this.int() : number + (head >> 4)
        const read = fields[number]
        if (read === undefined) this.#skip(head & 15)
        else read(this, head & 15)
      }
    })
  }

  /** A list of structs. Gives how many there are. */
  structs(type: number, fields: (i: number) => Fields): number {
    this.#want(type === LIST, 'a list', type)
    const { count, element } = this.#list()
    for (let i = 0; i < count; i++) this.struct(fields(i), element)
    return count
  }

  /** A whole number of up to 64 bits; one that has more than 53 is refused. */
  int(type = 6): number {
    if (type === BYTE) return (this.#byte() << 24) >> 24
    this.#want(type >= 4 && type <= 6, 'a number', type)
    const at = this.at
    let value = 0n
    for (let i = 0; i < MOST_VARINT; i++) {
      const byte = this.#byte()
      value |= BigInt(byte & 0x7f) << BigInt(7 * i)
      if (byte >= 0x80) continue
      const number = Number((value >> 1n) ^ -(value & 1n))
      if (Number.isSafeInteger(number)) return number
      throw this.#error(`a number of more than 53 bits`, at)
    }
    throw this.#error('a number that does not end', at)
  }

  /** A field that is true or false: its type says which. */
  bool(type: number): boolean {
    this.#want(type === TRUE || type === FALSE, 'true or false', type)
    return type === TRUE
  }

  text(type: number): string {
    this.#want(type === BINARY, 'a text', type)
    const length = this.#count(1)
    this.at += length
    return new TextDecoder().decode(this.#bytes.subarray(this.at - length, this.at))
  }

  #skip(type: number): void {
    if (type === TRUE || type === FALSE) return
    if (type === BYTE) this.#byte()
    else if (type >= 4 && type <= 6) this.#varint()
    else if (type === 7) this.#move(8)
    else if (type === BINARY) this.#move(this.#varint())
    else if (type === STRUCT) this.struct({})
    else if (type === LIST || type === 10) this.#skipList()
    else if (type === 11) this.#skipMap()
    else throw this.#error(`a field of the type ${type}, which is none`, this.at)
  }

  #skipList(): void {
    const { count, element } = this.#list()
    this.#nest(() => {
      for (let i = 0; i < count; i++) this.#skipElement(element)
    })
  }

  #skipMap(): void {
    const count = this.#count(2)
    if (count === 0) return
    const types = this.#byte()
    this.#nest(() => {
      for (let i = 0; i < count; i++) {
        this.#skipElement(types >> 4)
        this.#skipElement(types & 15)
      }
    })
  }

  /** In a list a truth value has a byte of its own. */
  #skipElement(type: number): void {
    this.#skip(type === TRUE || type === FALSE ? BYTE : type)
  }

  #list(): { count: number; element: number } {
    const head = this.#byte()
    const short = head >> 4
    const element = head & 15
    return { count: short === 15 ? this.#count(1) : this.#checked(short, 1), element }
  }

  /** A count of things that have so many bytes each at least. */
  #count(bytes: number): number {
    return this.#checked(this.#varint(), bytes)
  }

  #checked(count: number, bytes: number): number {
    const left = this.#bytes.length - this.at
    if (count * bytes <= left) return count
    throw this.#error(`a count of ${count} with ${left} bytes left`, this.at)
  }

  #varint(): number {
    const at = this.at
    let value = 0
    for (let i = 0; i < MOST_VARINT; i++) {
      const byte = this.#byte()
      value += (byte & 0x7f) * 2 ** (7 * i)
      if (byte < 0x80) return value
    }
    throw this.#error('a number that does not end', at)
  }

  #byte(): number {
    this.#move(1)
    return this.#bytes[this.at - 1] ?? 0
  }

  #move(bytes: number): void {
    if (bytes > this.#bytes.length - this.at) {
      throw this.#error(`the end, where ${bytes} more bytes should be`, this.at)
    }
    this.at += bytes
  }

  #nest(read: () => void): void {
    if (++this.#depth > MOST_DEPTH) throw this.#error('structs nested too deep', this.at)
    read()
    this.#depth--
  }

  #want(holds: boolean, wanted: string, type: number): void {
    if (!holds) throw this.#error(`a field of the type ${type} where ${wanted} should be`, this.at)
  }

  #error(what: string, at: number): FormatError {
    return new FormatError(`its metadata have ${what}`, 'Thrift', this.#base + at)
  }
}
