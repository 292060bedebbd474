// SPDX-License-Identifier: GPL-2.0-or-later
// C types as data, and what a source of them (BTF, or something else) has to offer.

import { FormatError } from '../errors.ts'

/** A C type. `const`, `volatile`, `restrict` and tags are left out: they do not change how memory is read. */
export type Type =
  | VoidType
  | IntType
  | FloatType
  | EnumType
  | PointerType
  | ArrayType
  | StructType
  | ForwardType
  | TypedefType
  | FunctionType

/** `void`, and what cannot be read: only pointers go there. */
export interface VoidType {
  readonly kind: 'void'
}

/** An integer, `char` and `bool` among them. `size` is in bytes. */
export interface IntType {
  readonly kind: 'int'
  readonly name: string
  readonly size: number
  readonly signed: boolean
  readonly bool: boolean
  /** The bits in use when they are not all: how BTF without kind_flag describes bit-fields. */
  readonly bits?: { readonly offset: number; readonly size: number }
}

/** A floating-point number of `size` bytes. */
export interface FloatType {
  readonly kind: 'float'
  readonly name: string
  readonly size: number
}

/** An enum; the name is empty for an anonymous one. */
export interface EnumType {
  readonly kind: 'enum'
  readonly name: string
  readonly size: number
  readonly signed: boolean
  /** Names to values, in the order of the declaration. Values that a number cannot hold exactly are not among them. */
  readonly enumerators: ReadonlyMap<string, number>
}

/** A pointer, 8 bytes. */
export interface PointerType {
  readonly kind: 'pointer'
  readonly target: Type
}

/** An array of `length` elements; 0 for one that is open at the end of its structure. */
export interface ArrayType {
  readonly kind: 'array'
  readonly element: Type
  readonly length: number
}

/** A struct or union with its members; the name is empty for an anonymous one. */
export interface StructType extends StructLayout {
  readonly kind: 'struct' | 'union'
  /** The members as declared, anonymous structs and unions (without a name) among them. */
  readonly members: readonly Member[]
  /** A member by its own name, not a path, through anonymous structs and unions. */
  field(name: string): Member | undefined
}

/** A struct or union that is only announced, not described. */
export interface ForwardType {
  readonly kind: 'forward'
  readonly name: string
}

/** Another name for a type. */
export interface TypedefType {
  readonly kind: 'typedef'
  readonly name: string
  readonly target: Type
}

/** A function; only pointers to it are read. */
export interface FunctionType {
  readonly kind: 'function'
}

/** Where a member lies in its struct. */
export interface Member {
  readonly name: string
  /** In bytes from the start of the struct; of a bit-field the byte with its first bit. */
  readonly offset: number
  /** In bytes; of a bit-field the bytes that it touches. */
  readonly size: number
  readonly type: Type
  /** The first bit of a bit-field in the byte at `offset`, 0 to 7 from the lowest. */
  readonly bitOffset?: number
  /** The width of a bit-field; other members have none. */
  readonly bitSize?: number
}

/** A struct or union by the names of its members. Those of anonymous structs and unions belong to the outer one. */
export interface StructLayout {
  readonly name: string
  /** In bytes. */
  readonly size: number
  /**
   * A member by its path, with its offset from the start of this struct: `pid`, `f_path.dentry`, `memslots[0].flags`.
   * A path goes into embedded structs and array elements, never through a pointer. Undefined when there is none.
   */
  member(path: string): Member | undefined
  /** The names of all members, those of anonymous structs and unions among them. */
  memberNames(): readonly string[]
}

/** The types of a kernel or of a module. BTF is one source of them. */
export interface Types {
  /** What they describe, for messages: `vmlinux`, `kvm`. */
  readonly name: string
  /** A struct or union by its name, or by the name of a typedef for one; of several the first. */
  struct(name: string): StructType | undefined
  /** All structs and unions of a name: drivers may use one name for several. */
  structs(name: string): readonly StructType[]
  /** Any type by its name: struct, union, enum, typedef or integer. */
  type(name: string): Type | undefined
  /** Whether there is a struct, union, enum, typedef or integer of this name. */
  has(name: string): boolean
  /** The size of a named type in bytes. */
  sizeOf(name: string): number | undefined
  /** The constants of an enum by the enum's name. */
  enumerators(name: string): ReadonlyMap<string, number> | undefined
  /** The value of one constant, of whatever enum, anonymous ones among them. */
  enumerator(name: string): number | undefined
  /** The constants of all enums whose name fits a pattern. Reads every enum, so for rare questions. */
  enumeratorsLike(pattern: RegExp): ReadonlyMap<string, number>
  /** Names of structs that look like one that is not there, nearest first. */
  near(name: string): string[]
  /**
   * Only types that are known in part have this: where a member (`mm_struct.brk`) was looked for, why it was not found,
   * and what to do. To be put behind "no member … in ". Their `structs` knows every name, perhaps without members.
   */
  whyMissing?(member: string): string
  /** What a reader of results should know of where the types come from; none for the dump's own. */
  readonly remarks?: readonly string[]
}

/** No chain of typedefs or nested arrays is deeper. */
export const MAX_DEPTH = 32

/** The type behind typedefs. Throws FormatError when they turn in a circle. */
export function resolve(type: Type): Exclude<Type, TypedefType> {
  let resolved = type
  for (let depth = 0; resolved.kind === 'typedef'; depth++) {
    if (depth === MAX_DEPTH) {
      throw new FormatError(`typedef ${resolved.name} leads to no type: a circle`, 'typedef')
    }
    resolved = resolved.target
  }
  return resolved
}

/** The size of a type in bytes; undefined for those without: void, functions, structs that are only announced. */
export function sizeOfType(type: Type): number | undefined {
  let count = 1
  let inner = resolve(type)
  for (let depth = 0; inner.kind === 'array'; depth++) {
    count *= inner.length
    if (depth === MAX_DEPTH || !Number.isSafeInteger(count)) {
      throw new FormatError('an array that nothing can hold', 'array')
    }
    inner = resolve(inner.element)
  }
  switch (inner.kind) {
    case 'int':
    case 'float':
    case 'enum':
    case 'struct':
    case 'union':
      return inner.size * count
    case 'pointer':
      return 8 * count
    case 'void':
    case 'forward':
    case 'function':
      return undefined
  }
}
