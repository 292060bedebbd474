// SPDX-License-Identifier: GPL-2.0-or-later
// What all views of one struct share: its members, and how each is read.

import { allMembers } from './struct.ts'
import { resolve, type Member, type StructType, type Types } from './type.ts'
import { memberReader, type MakeView, type ReadValue } from './value.ts'

/** One struct as views see it. Made once for each struct that is met. */
export class Shape {
  readonly types: Types
  readonly struct: StructType
  /** The struct's name, or that of the typedef it was reached through; empty when it has neither. */
  readonly name: string
  /** How each member is read, by name. */
  readonly readers: ReadonlyMap<string, ReadValue>
  readonly #members: ReadonlyMap<string, Member>

  constructor(types: Types, struct: StructType, name: string, view: MakeView) {
    this.types = types
    this.struct = struct
    this.name = name
    this.#members = allMembers(struct)
    const readers = new Map<string, ReadValue>()
    for (const [key, member] of this.#members) readers.set(key, lazily(types, member, view))
    this.readers = readers
  }

  /** Whether a member is a struct that lies within this one. */
  holds(name: string): boolean {
    const kind = this.#kindOf(name)
    return kind === 'struct' || kind === 'union'
  }

  /** Whether a member is a pointer. */
  isPointer(name: string): boolean {
    return this.#kindOf(name) === 'pointer'
  }

  #kindOf(name: string): string | undefined {
    const member = this.#members.get(name)
    return member && resolve(member.type).kind
  }
}

/** A struct has hundreds of members, of which few are read: a member's type is looked at when it is. */
function lazily(types: Types, member: Member, view: MakeView): ReadValue {
  let reader: ReadValue | undefined
  return (space, at) => {
    reader ??= memberReader(types, member, view)
    return reader(space, at)
  }
}
