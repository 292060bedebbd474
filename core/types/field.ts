// SPDX-License-Identifier: GPL-2.0-or-later
// The fields of a layout: what a member is wanted as, and how it is then read.

import { CorruptError, FormatError } from '../errors.ts'
import { type Space } from '../space/space.ts'
import { readBits, readSigned, readUnsigned } from './read.ts'
import { type Member } from './type.ts'

/** Reads one member of the struct at an address. */
export type Reader<T> = (space: Space, struct: bigint) => T

/** A wanted member: the paths by which kernels know it, newest first, and what it reads as. */
export interface Field<T> {
  readonly paths: readonly string[]
  readonly isOptional: boolean
  /** The reader for where this kernel has it. Throws FormatError when it cannot be read as wanted. */
  reader(struct: string, member: Member): Reader<T>
}

/** No member that is read as bytes is longer. */
const MAX_BYTES = 1 << 20

function field<T>(
  paths: readonly string[],
  reader: (member: Member, name: string) => Reader<T> | undefined,
): Field<T> {
  return {
    paths,
    isOptional: false,
    reader(struct, member) {
      const name = `${struct}.${member.name}`
      const read = reader(member, name)
      if (read !== undefined) return read
      const bits = member.bitSize === undefined ? '' : ', a bit-field'
      throw new FormatError(
        `${name} has ${member.size} bytes${bits}: not the type that it is read as`,
        name,
        member.offset,
      )
    },
  }
}

/** The address of the member itself: a list head, an embedded struct, the start of an array. */
export function address(...paths: string[]): Field<bigint> {
  return field(paths, ({ offset, bitSize }) =>
    bitSize === undefined ? (_, struct) => struct + BigInt(offset) : undefined,
  )
}

/** A pointer, 0n when it is NULL. */
export function pointer(...paths: string[]): Field<bigint> {
  return field(paths, ({ offset, size, bitSize }) => {
    if (size !== 8 || bitSize !== undefined) return undefined
    return (space, struct) => space.u64(struct + BigInt(offset))
  })
}

/** A signed number of the member's own size; reading 8 bytes throws CorruptError when 2^53 does not hold the value. */
export function int(...paths: string[]): Field<number> {
  return number(paths, true)
}

/** An unsigned number of the member's own size; reading 8 bytes throws CorruptError when 2^53 does not hold the value. */
export function uint(...paths: string[]): Field<number> {
  return number(paths, false)
}

function number(paths: readonly string[], signed: boolean): Field<number> {
  return field(paths, (member, name) => {
    const { size, bitSize } = member
    const offset = BigInt(member.offset)
    if (bitSize === undefined && (size === 1 || size === 2 || size === 4)) {
      const read = signed ? readSigned : readUnsigned
      return (space, struct) => read(space, struct + offset, size)
    }
    const bits = integerBits(member)
    if (bits === undefined) return undefined
    return (space, struct) => {
      const raw = readBits(space, struct, member, bits)
      const value = Number(signed ? BigInt.asIntN(bits, raw) : raw)
      if (Number.isSafeInteger(value)) return value
      throw new CorruptError(name, struct, `its value 0x${raw.toString(16)} is above 2^53`)
    }
  })
}

/** An unsigned integer of up to 8 bytes as a bigint. */
export function u64(...paths: string[]): Field<bigint> {
  return field(paths, (member) => {
    const offset = BigInt(member.offset)
    if (member.size === 8 && member.bitSize === undefined) {
      return (space, struct) => space.u64(struct + offset)
    }
    const bits = integerBits(member)
    return bits === undefined ? undefined : (space, struct) => readBits(space, struct, member, bits)
  })
}

/** A copy of the whole member. */
export function bytes(...paths: string[]): Field<Uint8Array> {
  return field(paths, ({ offset, size, bitSize }) => {
    if (bitSize !== undefined || size > MAX_BYTES) return undefined
    return (space, struct) => space.bytes(struct + BigInt(offset), size)
  })
}

/** The same member, but undefined in kernels that do not have it. */
export function optional<T>(wanted: Field<T>): Field<T | undefined> {
  return { ...wanted, isOptional: true }
}

/** The width of an integer of 1, 2, 4 or 8 bytes or of a bit-field; a struct around one integer counts as it. */
function integerBits({ size, bitSize }: Member): number | undefined {
  if (bitSize !== undefined) return bitSize <= 64 ? bitSize : undefined
  return size === 1 || size === 2 || size === 4 || size === 8 ? size * 8 : undefined
}
