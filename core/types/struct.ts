// SPDX-License-Identifier: GPL-2.0-or-later
// A struct or union made of a list of members, from whatever source.

import { FormatError } from '../errors.ts'
import { memberAtPath } from './path.ts'
import { resolve, type Member, type StructType } from './type.ts'

/** kvm_vcpu, the largest in use, has some hundreds; generated unions of a driver have some thousands. */
const MAX_MEMBERS = 65536
/** Anonymous structs in anonymous structs: the kernel's are three deep. */
const MAX_NESTING = 16

/** A struct or union. Its members are described when they are first asked for. */
export class Struct implements StructType {
  readonly kind: 'struct' | 'union'
  readonly name: string
  readonly size: number
  readonly #describe: () => readonly Member[]
  #members: readonly Member[] | undefined
  #all: ReadonlyMap<string, Member> | undefined

  constructor(
    kind: 'struct' | 'union',
    name: string,
    size: number,
    describe: () => readonly Member[],
  ) {
    this.kind = kind
    this.name = name
    this.size = size
    this.#describe = describe
  }

  get members(): readonly Member[] {
    this.#members ??= this.#describe()
    return this.#members
  }

  field(name: string): Member | undefined {
    this.#all ??= allMembers(this)
    return this.#all.get(name)
  }

  member(path: string): Member | undefined {
    return memberAtPath(this, path)
  }

  memberNames(): readonly string[] {
    return [...allMembers(this).keys()]
  }
}

/**
 * All members by name, those of anonymous structs and unions with their place in the outer one; of a name that comes
 * twice the first. Throws FormatError when there are absurdly many or a struct is inside itself.
 */
export function allMembers(struct: StructType): Map<string, Member> {
  const all = new Map<string, Member>()
  let seen = 0
  const add = (from: StructType, offset: number, nesting: number): void => {
    for (const member of from.members) {
      if (++seen > MAX_MEMBERS || nesting > MAX_NESTING) throw tooMany(struct)
      const place = { ...member, offset: offset + member.offset }
      if (member.name !== '') {
        if (!all.has(member.name)) all.set(member.name, place)
        continue
      }
      const type = resolve(member.type)
      if (type.kind === 'struct' || type.kind === 'union') add(type, place.offset, nesting + 1)
    }
  }
  add(struct, 0, 0)
  return all
}

/** The error for a struct that holds itself or more members than a kernel's can. */
export function tooMany(struct: { readonly name: string }): FormatError {
  return new FormatError(
    `struct ${struct.name || '(anonymous)'} has more than ${MAX_MEMBERS} members or is nested deeper than ${MAX_NESTING}`,
    'btf_member',
  )
}
