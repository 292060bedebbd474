// SPDX-License-Identifier: GPL-2.0-or-later
// Structs and unions of BTF: members are found by comparing letters, and described when a view needs them all.

import { FormatError } from '../errors.ts'
import { BTF, type BtfBlob } from './btfblob.ts'
import { memberAtPath } from './path.ts'
import { allMembers, tooMany } from './struct.ts'
import { resolve, sizeOfType, type Member, type StructType, type Type } from './type.ts'

/** Where types of ids come from. */
export interface TypesById {
  readonly name: string
  readonly blob: BtfBlob
  typeOf(id: number): Type
}

const RECORD = 12
/** `struct btf_member`: name, type, offset. */
const MEMBER = 12
const MAX_NESTING = 16
const MAX_MEMBERS = 65536

/** A struct or union whose record is at a place in BTF. */
export class BtfStruct implements StructType {
  readonly kind: 'struct' | 'union'
  readonly name: string
  readonly size: number
  readonly #types: TypesById
  readonly #at: number
  readonly #fields = new Map<string, Member | undefined>()
  #members: readonly Member[] | undefined

  constructor(types: TypesById, at: number, name: string, size: number) {
    this.kind = types.blob.kind(at) === BTF.UNION ? 'union' : 'struct'
    this.name = name
    this.size = size
    this.#types = types
    this.#at = at
  }

  get members(): readonly Member[] {
    this.#members ??= Array.from({ length: this.#types.blob.vlen(this.#at) }, (_, i) =>
      this.#member(this.#at + RECORD + i * MEMBER),
    )
    return this.#members
  }

  field(name: string): Member | undefined {
    if (this.#fields.has(name)) return this.#fields.get(name)
    const search = { letters: Buffer.from(name), left: MAX_MEMBERS }
    const found = name === '' ? undefined : this.#find(search, 0)
    this.#fields.set(name, found)
    return found
  }

  member(path: string): Member | undefined {
    return memberAtPath(this, path)
  }

  memberNames(): readonly string[] {
    return [...allMembers(this).keys()]
  }

  #find(search: { letters: Uint8Array; left: number }, nesting: number): Member | undefined {
    const { blob } = this.#types
    const end = this.#at + RECORD + blob.vlen(this.#at) * MEMBER
    search.left -= blob.vlen(this.#at)
    if (search.left < 0 || nesting > MAX_NESTING) throw tooMany(this)
    for (let at = this.#at + RECORD; at < end; at += MEMBER) {
      const nameAt = blob.view.getUint32(at, true)
      if (nameAt !== 0) {
        if (blob.spells(nameAt, search.letters)) return this.#member(at)
        continue
      }
      const inner = resolve(this.#types.typeOf(blob.view.getUint32(at + 4, true)))
      if (!(inner instanceof BtfStruct)) continue
      const found = inner.#find(search, nesting + 1)
      if (found !== undefined) {
        return { ...found, offset: found.offset + this.#member(at).offset }
      }
    }
    return undefined
  }

  /** Describes the member whose record is at `at`. Throws FormatError when it lies outside of the struct. */
  #member(at: number): Member {
    const { blob } = this.#types
    const type = this.#types.typeOf(blob.view.getUint32(at + 4, true))
    const name = blob.text(blob.view.getUint32(at, true))
    const word = blob.view.getUint32(at + 8, true)
    // With kind_flag the upper 8 bits are the width of a bit-field; without it the type says so.
    const hasWidths = blob.flag(this.#at)
    const [bits, width] = hasWidths ? [word & 0xffffff, word >>> 24] : this.#oldBits(at, word)
    const place = { name, type, offset: Math.floor(bits / 8) }
    const member: Member =
      width === 0
        ? { ...place, size: this.#sizeOf(name, type, at) }
        : {
            ...place,
            size: Math.ceil(((bits % 8) + width) / 8),
            bitOffset: bits % 8,
            bitSize: width,
          }
    if (member.offset + member.size > this.size || (width === 0 && bits % 8 !== 0)) {
      throw new FormatError(
        `${this.name || '(anonymous)'}.${name} at bit ${bits} with ${member.size} bytes does not fit in ${this.size} bytes`,
        'btf_member.offset',
        at,
      )
    }
    return member
  }

  /** Bits of a member without kind_flag: an integer that is not as wide as its size is a bit-field (btf.rst, BTF_KIND_INT). */
  #oldBits(at: number, offset: number): [number, number] {
    const { blob } = this.#types
    const id = blob.view.getUint32(at + 4, true)
    const type = resolve(this.#types.typeOf(id))
    if (type.kind !== 'int' || type.bits === undefined) return [offset, 0]
    return [offset + type.bits.offset, type.bits.size]
  }

  #sizeOf(name: string, type: Type, at: number): number {
    const size = sizeOfType(type)
    if (size !== undefined) return size
    throw new FormatError(
      `${this.name || '(anonymous)'}.${name} is of a type without a size`,
      'btf_member.type',
      at,
    )
  }
}
