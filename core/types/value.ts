// SPDX-License-Identifier: GPL-2.0-or-later
// What a member of a view reads as, by its C type.

import { type Space } from '../space/space.ts'
import { ArrayView } from './arrayview.ts'
import { readBits, readSigned, readUnsigned, readWide } from './read.ts'
import {
  resolve,
  sizeOfType,
  type ArrayType,
  type Member,
  type StructType,
  type Type,
  type Types,
} from './type.ts'

/** Reads a value at an address. */
export type ReadValue = (space: Space, at: bigint) => unknown

/** Makes the view of a struct at an address. `name` is that of a typedef, for structs that have none of their own. */
export type MakeView = (type: StructType, name: string, space: Space, at: bigint) => unknown

/** A text in an open array is cut here, and one in an array that claims to be longer than any is. */
const MAX_OPEN_TEXT = 4096
const MAX_TEXT = 1 << 20

/** How a member is read: from the address of the struct that it is in. */
export function memberReader(types: Types, member: Member, view: MakeView): ReadValue {
  const { bitSize } = member
  if (bitSize !== undefined) {
    const type = resolve(member.type)
    const isSigned = (type.kind === 'int' || type.kind === 'enum') && type.signed
    const isBool = type.kind === 'int' && type.bool
    return (space, struct) => {
      const raw = readBits(space, struct, member, bitSize)
      if (isBool) return raw !== 0n
      const value = isSigned ? BigInt.asIntN(bitSize, raw) : raw
      return bitSize <= 32 ? Number(value) : value
    }
  }
  const read = valueReader(types, member.type, view)
  const offset = BigInt(member.offset)
  return (space, struct) => read(space, struct + offset)
}

function valueReader(types: Types, type: Type, view: MakeView): ReadValue {
  const resolved = resolve(type)
  switch (resolved.kind) {
    case 'int':
      if (resolved.bool) return (space, at) => readWide(space, at, resolved.size) !== 0n
      return integerReader(resolved.size, resolved.signed)
    case 'enum':
      return integerReader(resolved.size, resolved.signed)
    case 'float':
      return floatReader(resolved.size)
    case 'pointer': {
      const target = pointedStruct(types, resolved.target)
      if (target === undefined) return (space, at) => space.u64(at)
      const name = structName(target, resolved.target)
      return (space, at) => {
        const address = space.u64(at)
        return address === 0n ? null : view(target, name, space, address)
      }
    }
    case 'struct':
    case 'union': {
      const name = structName(resolved, type)
      return (space, at) => view(resolved, name, space, at)
    }
    case 'array':
      return arrayReader(types, resolved, view)
    case 'void':
    case 'forward':
    case 'function':
      return () => undefined
  }
}

function integerReader(size: number, signed: boolean): ReadValue {
  if (size === 1 || size === 2 || size === 4) {
    const read = signed ? readSigned : readUnsigned
    return (space, at) => read(space, at, size)
  }
  if (size === 8 && !signed) return (space, at) => space.u64(at)
  return (space, at) => {
    const value = readWide(space, at, size)
    return signed ? BigInt.asIntN(size * 8, value) : value
  }
}

function floatReader(size: number): ReadValue {
  if (size !== 4 && size !== 8) return (space, at) => space.bytes(at, size)
  return (space, at) => {
    const view = new DataView(space.bytes(at, size).buffer)
    return size === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true)
  }
}

function arrayReader(types: Types, array: ArrayType, view: MakeView): ReadValue {
  const element = resolve(array.element)
  if (isChar(element)) {
    const limit = array.length === 0 ? MAX_OPEN_TEXT : Math.min(array.length, MAX_TEXT)
    return (space, at) => space.text(at, limit)
  }
  const step = sizeOfType(element)
  if (step === undefined) return () => undefined
  // The element's own name counts: an array of pgd_t holds views that are called so.
  const read = valueReader(types, array.element, view)
  return (space, at) => new ArrayView(at, array.length, step, (place) => read(space, place))
}

/** `char` and nothing else: `unsigned char` and `u8` are numbers. */
export function isChar(type: Type): boolean {
  return type.kind === 'int' && type.size === 1 && type.name === 'char'
}

/** The struct that a pointer leads to, if it is described, here or where a module's base has it. */
export function pointedStruct(types: Types, target: Type): StructType | undefined {
  const type = resolve(target)
  if (type.kind === 'struct' || type.kind === 'union') return type
  return type.kind === 'forward' ? types.struct(type.name) : undefined
}

/** What a struct is called: by its own name, or by the typedef that it was reached through. */
export function structName(struct: StructType, through: Type): string {
  if (struct.name !== '') return struct.name
  return through.kind === 'typedef' ? through.name : ''
}
