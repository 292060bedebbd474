// SPDX-License-Identifier: GPL-2.0-or-later
// Layouts: the offsets that a reader of one structure needs, looked up once and by presence, never by version.

import { nearNames } from '../bytes/near.ts'
import { FaultError, FormatError, MissingError } from '../errors.ts'
import { type Space } from '../space/space.ts'
import { type Field, type Reader } from './field.ts'
import { resolve, type Member, type StructType, type Type, type Types } from './type.ts'

export { address, bytes, int, optional, pointer, u64, uint, type Field } from './field.ts'

type Fields = Readonly<Record<string, Field<unknown>>>

/** One structure in memory: its address, and the wanted members, each read when it is asked for. */
export type LayoutRecord<F extends Fields> = { readonly address: bigint } & {
  readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never
}

/** Where the wanted members of a structure lie in the dumped kernel. */
export interface Layout<F extends Fields> {
  /** The structure's name. */
  readonly name: string
  /** `sizeof`, in bytes. */
  readonly size: number
  /** Whether an optional member is there; true for all others. */
  has(field: keyof F): boolean
  /** The offset of a member in bytes. Throws MissingError for an optional one that is not there. */
  offset(field: keyof F): number
  /** The structure at an address. Reads nothing yet; its members throw FaultError when their page is not there. */
  at(space: Space, address: bigint): LayoutRecord<F>
}

/**
 * Looks up members of a struct, or of a typedef of one. Each field has one or several paths; the first that this kernel
 * has is taken. Throws MissingError, with near names, when the struct or a member that is not optional is missing, and
 * FormatError when a member cannot be read as wanted. Types that are known in part (`whyMissing`) throw it later, when
 * what they lack is asked for: the rest can be read.
 */
export function layout<const F extends Fields>(types: Types, name: string, fields: F): Layout<F> {
  const [struct, ...others] = types.structs(name)
  if (struct === undefined) {
    throw new MissingError('type', name, `the types of ${types.name}`, types.near(name))
  }
  const found = new Map<PropertyKey, Member>()
  const readers = new Map<string, Reader<unknown>>()
  for (const [key, field] of Object.entries(fields)) {
    const member = firstOf(struct, field)
    readers.set(key, member === undefined ? () => undefined : named(struct, name, field, member))
    if (member !== undefined) found.set(key, member)
    else if (!field.isOptional) {
      const missing = missingMember(types, struct, name, field.paths)
      if (types.whyMissing === undefined) throw missing
      readers.set(key, () => {
        throw missing
      })
    }
    for (const other of others) checkSame(name, key, member, firstOf(other, field))
  }
  const at = recordMaker(readers)
  return {
    name,
    get size() {
      return struct.size
    },
    has: (key) => found.has(key),
    offset(key) {
      const member = found.get(key)
      if (member !== undefined) return member.offset
      throw missingMember(types, struct, name, fields[key]?.paths ?? [String(key)])
    },
    at: (space, address) => at(space, address) as LayoutRecord<F>,
  }
}

/** The number of elements of an array member, 0 when it is open; undefined when it is missing or no array. */
export function arrayLength(types: Types, struct: string, path: string): number | undefined {
  const type = memberType(types, struct, path)
  return type?.kind === 'array' ? type.length : undefined
}

/** The type of a member, behind its typedefs; undefined when it is missing. */
export function memberType(types: Types, struct: string, path: string): Type | undefined {
  const member = types.struct(struct)?.member(path)
  return member && resolve(member.type)
}

/** The reader of a member, whose faults say which member it is. */
function named(
  struct: StructType,
  name: string,
  field: Field<unknown>,
  member: Member,
): Reader<unknown> {
  const read = field.reader(name, member)
  const path = field.paths.find((one) => struct.member(one) !== undefined) ?? member.name
  return (space, address) => {
    try {
      return read(space, address)
    } catch (error) {
      if (error instanceof FaultError) throw error.neededFor(`${name}.${path}`)
      throw error
    }
  }
}

function firstOf(struct: StructType, field: Field<unknown>): Member | undefined {
  for (const path of field.paths) {
    const member = struct.member(path)
    if (member !== undefined) return member
  }
  return undefined
}

function missingMember(
  types: Types,
  struct: StructType,
  name: string,
  paths: readonly string[],
): MissingError {
  const wanted = paths[0] ?? ''
  const why = paths.map((path) => types.whyMissing?.(`${name}.${path}`)).find((text) => text)
  if (why !== undefined) return new MissingError('member', `${name}.${wanted}`, why)
  const near = nearNames(struct.memberNames(), wanted)
  return new MissingError('member', `${name}.${wanted}`, `the types of ${types.name}`, near)
}

/**
 * BTF can have a struct several times: copies that the encoder failed to merge, which agree, or structs of two drivers
 * that share a name, between which nobody can choose here.
 */
function checkSame(name: string, key: string, one?: Member, other?: Member): void {
  if (one?.offset === other?.offset && one?.size === other?.size) return
  const place = (member?: Member): string => (member ? `at ${member.offset}` : 'missing')
  throw new FormatError(
    `several structs are called ${name}, and they differ: ${key} is ${place(one)} in one, ${place(other)} in another`,
    name,
  )
}

/** A record with the getters of one layout on its prototype, so that a record itself is two fields. */
class MemoryRecord {
  readonly address: bigint
  readonly #space: Space

  constructor(space: Space, address: bigint) {
    this.address = address
    this.#space = space
  }

  static define(prototype: MemoryRecord, key: string, read: Reader<unknown>): void {
    Object.defineProperty(prototype, key, {
      enumerable: true,
      get(this: MemoryRecord) {
        return read(this.#space, this.address)
      },
    })
  }
}

function recordMaker(
  readers: ReadonlyMap<string, Reader<unknown>>,
): (space: Space, address: bigint) => MemoryRecord {
  class LayoutMemory extends MemoryRecord {}
  for (const [key, read] of readers) MemoryRecord.define(LayoutMemory.prototype, key, read)
  return (space, address) => new LayoutMemory(space, address)
}
