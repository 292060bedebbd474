// SPDX-License-Identifier: GPL-2.0-or-later
// Types out of BTF: made from their records when they are asked for, never all at once.

import { nearNames } from '../bytes/near.ts'
import { FormatError } from '../errors.ts'
import { BTF, BtfBlob } from './btfblob.ts'
import { BtfEnum, enumeratorOf } from './btfenum.ts'
import { BtfStruct } from './btfstruct.ts'
import {
  MAX_DEPTH,
  resolve,
  sizeOfType,
  type ArrayType,
  type EnumType,
  type PointerType,
  type StructType,
  type Type,
  type TypedefType,
  type Types,
} from './type.ts'

const VOID: Type = { kind: 'void' }

/** The types of one BTF and of its base. */
export class BtfTypes implements Types {
  readonly name: string
  readonly blob: BtfBlob
  readonly remarks: readonly string[]
  readonly #base: BtfTypes | undefined
  readonly #made = new Map<number, Type>()

  constructor(blob: BtfBlob, base?: BtfTypes, remarks: readonly string[] = []) {
    this.name = blob.name
    this.blob = blob
    this.remarks = remarks
    this.#base = base
  }

  /** The same types with remarks on where they come from. */
  withRemarks(remarks: readonly string[]): BtfTypes {
    return new BtfTypes(this.blob, this.#base, remarks)
  }

  struct(name: string): StructType | undefined {
    return this.structs(name)[0]
  }

  structs(name: string): readonly StructType[] {
    const found = this.#base?.structs(name) ?? []
    if (found.length > 0) return found
    const types = this.#named(name)
    const structs = types.filter(isStruct)
    if (structs.length > 0) return structs
    // No such struct: `pgd_t` and its like are typedefs of structs without a name.
    return types
      .flatMap((type) => (type.kind === 'typedef' ? [resolve(type)] : []))
      .filter(isStruct)
  }

  type(name: string): Type | undefined {
    return this.#base?.type(name) ?? this.structs(name)[0] ?? this.#named(name)[0]
  }

  has(name: string): boolean {
    return this.blob.ids(name).length > 0 || (this.#base?.has(name) ?? false)
  }

  sizeOf(name: string): number | undefined {
    const type = this.type(name)
    return type && sizeOfType(type)
  }

  enumerators(name: string): ReadonlyMap<string, number> | undefined {
    const found = this.#base?.enumerators(name)
    if (found !== undefined) return found
    return this.#named(name).find((type): type is EnumType => type.kind === 'enum')?.enumerators
  }

  enumerator(name: string): number | undefined {
    const found = this.#base?.enumerator(name)
    if (found !== undefined) return found
    const letters = Buffer.from(name)
    for (const id of this.#ids(isEnum)) {
      const value = enumeratorOf(this.blob, this.blob.at(id), letters)
      if (value !== undefined) return value
    }
    return undefined
  }

  enumeratorsLike(pattern: RegExp): ReadonlyMap<string, number> {
    const found = new Map(this.#base?.enumeratorsLike(pattern))
    for (const id of this.#ids(isEnum)) {
      const type = this.typeOf(id)
      if (type.kind !== 'enum') continue
      for (const [name, value] of type.enumerators) {
        if (!found.has(name) && name.search(pattern) >= 0) found.set(name, value)
      }
    }
    return found
  }

  near(name: string): string[] {
    return nearNames(this.#structNames(), name)
  }

  /** The type of an id, without const, volatile, restrict and tags. Throws FormatError when it cannot be one. */
  typeOf(id: number): Type {
    if (id === 0) return VOID
    if (id < this.blob.firstId && this.#base !== undefined) return this.#base.typeOf(id)
    let made = this.#made.get(id)
    if (made === undefined) {
      made = this.#make(id)
      this.#made.set(id, made)
    }
    return made
  }

  #named(name: string): Type[] {
    return this.blob.ids(name).map((id) => this.typeOf(id))
  }

  *#ids(ofKind: (kind: number) => boolean): Generator<number> {
    const { blob } = this
    for (let id = blob.firstId; id < blob.firstId + blob.count; id++) {
      if (ofKind(blob.kind(blob.at(id)))) yield id
    }
  }

  *#structNames(): Generator<string> {
    const { blob } = this
    if (this.#base !== undefined) yield* this.#base.#structNames()
    for (const id of this.#ids((kind) => kind === BTF.STRUCT || kind === BTF.UNION)) {
      yield blob.text(blob.view.getUint32(blob.at(id), true))
    }
  }

  #make(id: number): Type {
    const { blob } = this
    const at = blob.at(id)
    if (isModifier(blob.kind(at))) return this.typeOf(this.#behindModifiers(id))
    const third = blob.view.getUint32(at + 8, true)
    const name = (): string => blob.text(blob.view.getUint32(at, true))
    switch (blob.kind(at)) {
      case BTF.INT: {
        const encoding = blob.view.getUint32(at + 12, true)
        const bits = { offset: (encoding >>> 16) & 0xff, size: encoding & 0xff }
        return {
          kind: 'int',
          name: name(),
          size: third,
          signed: (encoding & 0x1000000) !== 0,
          bool: (encoding & 0x4000000) !== 0,
          ...((bits.offset !== 0 || bits.size !== third * 8) && { bits }),
        }
      }
      case BTF.FLOAT:
        return { kind: 'float', name: name(), size: third }
      case BTF.PTR:
        return new Pointer(this, third)
      case BTF.TYPEDEF:
        return new Typedef(this, name(), third)
      case BTF.ARRAY:
        return new ArrayOf(
          this,
          blob.view.getUint32(at + 12, true),
          blob.view.getUint32(at + 20, true),
        )
      case BTF.STRUCT:
      case BTF.UNION:
        return new BtfStruct(this, at, name(), third)
      case BTF.ENUM:
      case BTF.ENUM64:
        return new BtfEnum(this.blob, at, name(), third)
      case BTF.FWD:
        return { kind: 'forward', name: name() }
      case BTF.FUNC:
      case BTF.FUNC_PROTO:
        return { kind: 'function' }
      default:
        throw new FormatError(
          `type ${id} of ${this.name} is of kind ${blob.kind(at)}, which is no type of a value`,
          'btf_type.info',
          at,
        )
    }
  }
  /** The id of the type that const, volatile, restrict and tags lead to. */
  #behindModifiers(id: number): number {
    const { blob } = this
    let target = id
    for (let depth = 0; depth <= MAX_DEPTH; depth++) {
      if (target < blob.firstId) return target
      const at = blob.at(target)
      if (!isModifier(blob.kind(at))) return target
      target = blob.view.getUint32(at + 8, true)
    }
    throw new FormatError(
      `type ${id} of ${this.name} leads to no type: a circle`,
      'btf_type.type',
      blob.at(id),
    )
  }
}

/** A pointer whose target is looked up when it is followed: structs point at each other in circles. */
class Pointer implements PointerType {
  readonly kind = 'pointer'
  readonly #types: BtfTypes
  readonly #target: number

  constructor(types: BtfTypes, target: number) {
    this.#types = types
    this.#target = target
  }

  get target(): Type {
    return this.#types.typeOf(this.#target)
  }
}

class Typedef implements TypedefType {
  readonly kind = 'typedef'
  readonly name: string
  readonly #types: BtfTypes
  readonly #target: number

  constructor(types: BtfTypes, name: string, target: number) {
    this.name = name
    this.#types = types
    this.#target = target
  }

  get target(): Type {
    return this.#types.typeOf(this.#target)
  }
}

class ArrayOf implements ArrayType {
  readonly kind = 'array'
  readonly length: number
  readonly #types: BtfTypes
  readonly #element: number

  constructor(types: BtfTypes, element: number, length: number) {
    this.length = length
    this.#types = types
    this.#element = element
  }

  get element(): Type {
    return this.#types.typeOf(this.#element)
  }
}

/**
 * Reads BTF: that of vmlinux, or with `base` that of a module. `name` is for messages. Only the records' places and the
 * names of types are gone through here. Throws FormatError when that cannot be done.
 */
export function readBtf(bytes: Uint8Array, name: string, base?: BtfTypes): BtfTypes {
  return new BtfTypes(new BtfBlob(bytes, name, base?.blob), base)
}

function isEnum(kind: number): boolean {
  return kind === BTF.ENUM || kind === BTF.ENUM64
}

function isStruct(type: Type): type is StructType {
  return type.kind === 'struct' || type.kind === 'union'
}

function isModifier(kind: number): boolean {
  return (
    kind === BTF.CONST || kind === BTF.VOLATILE || kind === BTF.RESTRICT || kind === BTF.TYPE_TAG
  )
}
