// SPDX-License-Identifier: GPL-2.0-or-later
// Raw structures in a cell: `task.mm.pgd`, with one class for each struct, made when it is first met.

import { hex } from '../bytes/hex.ts'
import { nearNames } from '../bytes/near.ts'
import { MissingError, UsageError } from '../errors.ts'
import { type Space } from '../space/space.ts'
import { ArrayView } from './arrayview.ts'
import { Line, lineOf, plain } from './plain.ts'
import { Shape } from './shape.ts'
import { type Member, type StructType, type Types } from './type.ts'
import { memberReader, type MakeView, type ReadValue } from './value.ts'

export { ArrayView }

declare const undeclared: unique symbol

/**
 * The structs of the dumped kernel by name. Empty here: the declarations that are written from a dump's own types add
 * to it, so that an editor knows their members.
 */
export interface DumpStructs {
  readonly [undeclared]?: never
}

/** A value whose type only the dump knows: as with parsed JSON, the compiler takes it for what it is used as. */
export type Undeclared = ReturnType<JSON['parse']>

/** A view of a struct that is not declared: every member can be asked for. */
export type LooseView = StructView & { readonly [member: string]: Undeclared }

/** The C name of a struct: an editor offers the declared ones, and any other may be asked for. */
export type StructName<Declared = DumpStructs> = Extract<keyof Declared, string> | (string & {})

/** The view of a struct by its C name: with its members when they are declared, else with any. */
export type StructOf<N extends string> = N extends keyof DumpStructs ? DumpStructs[N] : LooseView

/** So many members are printed. */
const SHOWN = 40
const MAX_BYTES = 64 << 20
/** Structs of up to so many members are printed within their outer struct: list_head, atomic_t, rb_node. */
const SMALL = 3

/**
 * A struct or union of the dumped kernel at an address. Its members are properties, each read when it is asked for:
 * integers up to 32 bits as number, wider ones as bigint, `char[N]` as text, a pointer to a struct as the view of that
 * struct or null, other pointers as bigint, arrays as ArrayView. A member that this kernel lacks is undefined.
 * Names that begin with `$` are ours. Reading throws FaultError when the dump lacks the page.
 */
export abstract class StructView {
  /** The address of the struct. */
  readonly $addr: bigint
  readonly #space: Space
  readonly #shape: Shape

  /** @internal */
  constructor(space: Space, address: bigint, shape: Shape) {
    this.$addr = address
    this.#space = space
    this.#shape = shape
  }

  /** The C name of the struct, or of the typedef that stands for it. */
  get $type(): string {
    return this.#shape.name
  }

  /** The size in bytes. */
  get $size(): number {
    return this.#shape.struct.size
  }

  /** Whether this kernel has a member; a path such as `f_path.dentry` goes into embedded structs. */
  $has(path: string): boolean {
    return this.#shape.struct.member(path) !== undefined
  }

  /** A member by its name or path. Throws MissingError, with names that look like it, when there is none. */
  $get(path: string): Undeclared {
    const member = this.#member(path)
    return memberReader(
      this.#shape.types,
      member,
      viewMaker(this.#shape.types),
    )(this.#space, this.$addr)
  }

  /** A pointer member as it is, 0n for NULL. */
  $ptr(path: string): bigint {
    const member = this.#member(path)
    if (member.size !== 8 || member.bitSize !== undefined) {
      throw new UsageError(`${this.$type}.${path} has ${member.size} bytes: not a pointer`)
    }
    return this.#space.u64(this.$addr + BigInt(member.offset))
  }

  /** A copy of the bytes of the struct, or of a member. Throws UsageError above 64 MiB, which no struct of a kernel has. */
  $bytes(path?: string): Uint8Array {
    const { offset, size } =
      path === undefined ? { offset: 0, size: this.$size } : this.#member(path)
    if (size > MAX_BYTES) {
      throw new UsageError(`${this.$type} claims ${size} bytes, which are not copied at once`)
    }
    return this.#space.bytes(this.$addr + BigInt(offset), size)
  }

  /** The same address as another struct. Throws MissingError when the kernel has none of this name. */
  $cast<N extends StructName>(type: N): StructOf<N> {
    return structView(this.#shape.types, this.#space, type, this.$addr)
  }

  /** The struct that this one is a member of: `node.$containerOf('task_struct', 'tasks')`. */
  $containerOf<N extends StructName>(type: N, member: string): StructOf<N> {
    const { types } = this.#shape
    const found = structOf(types, type).member(member)
    if (found === undefined) throw noMember(types, structOf(types, type), type, member)
    return structView(types, this.#space, type, this.$addr - BigInt(found.offset))
  }

  /** Type, address and members, without what embedded structs, arrays and pointers hold. */
  toJSON(): Record<string, unknown> {
    const json: Record<string, unknown> = { $type: this.$type, $addr: hex(this.$addr) }
    for (const [name, read] of this.#shape.readers) {
      json[name] = plain(() => read(this.#space, this.$addr))
    }
    return json
  }

  /** What the console and an error message show. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const readers = this.#shape.readers
    const lines = [...readers]
      .slice(0, SHOWN)
      .map(([name, read]) => `  ${name}: ${this.#show(name, read)},\n`)
    if (readers.size > SHOWN) lines.push(`  … ${readers.size - SHOWN} more members\n`)
    return `${this.$type || 'struct'} at ${hex(this.$addr)} {\n${lines.join('')}}`
  }

  #show(name: string, read: ReadValue): string {
    return lineOf(() => {
      const value = read(this.#space, this.$addr)
      if (typeof value === 'bigint' && !this.#shape.isPointer(name)) return new Line(`${value}n`)
      if (value instanceof ArrayView) return new Line(value.toString())
      if (!(value instanceof StructView)) return value
      const type = value.$type || 'struct'
      if (this.#shape.holds(name)) return new Line(`${type} ${value.#short()}`)
      return new Line(`${type} * ${hex(value.$addr)}`)
    })
  }

  /** A small struct in one line; of others only that it is one. */
  #short(): string {
    const readers = [...this.#shape.readers]
    if (readers.length > SMALL) return '{…}'
    const shown = readers.map(([name, read]) => `${name}: ${this.#show(name, read)}`)
    return `{ ${shown.join(', ')} }`
  }

  #member(path: string): Member {
    const { struct, types } = this.#shape
    const member = struct.member(path)
    if (member === undefined) throw noMember(types, struct, this.$type, path)
    return member
  }

  /** Puts a getter for a member on the class of a struct. */
  static define(prototype: StructView, name: string, read: ReadValue): void {
    Object.defineProperty(prototype, name, {
      enumerable: true,
      configurable: true,
      get(this: StructView) {
        return read(this.#space, this.$addr)
      },
    })
  }
}

type ViewClass = new (space: Space, address: bigint) => StructView

const classes = new WeakMap<Types, Map<StructType, ViewClass>>()

/**
 * The view of a struct, or of a typedef of one, at an address, unchecked. Throws MissingError when the kernel has none
 * of this name.
 */
export function structView<N extends string>(
  types: Types,
  space: Space,
  name: N,
  address: bigint,
): StructOf<N> {
  return viewMaker(types)(structOf(types, name), name, space, address) as StructOf<N>
}

function viewMaker(types: Types): MakeView {
  let made = classes.get(types)
  if (made === undefined) {
    made = new Map()
    classes.set(types, made)
  }
  const known = made
  const make: MakeView = (struct, name, space, address) => {
    let ViewOfStruct = known.get(struct)
    if (ViewOfStruct === undefined) {
      ViewOfStruct = viewClass(new Shape(types, struct, name, make))
      known.set(struct, ViewOfStruct)
    }
    return new ViewOfStruct(space, address)
  }
  return make
}

function viewClass(shape: Shape): ViewClass {
  class View extends StructView {
    constructor(space: Space, address: bigint) {
      super(space, address, shape)
    }
  }
  for (const [name, read] of shape.readers) StructView.define(View.prototype, name, read)
  return View
}

function structOf(types: Types, name: string): StructType {
  const struct = types.struct(name)
  if (struct !== undefined) return struct
  throw new MissingError('type', name, `the types of ${types.name}`, types.near(name))
}

function noMember(types: Types, struct: StructType, name: string, path: string): MissingError {
  const near = nearNames(struct.memberNames(), path)
  return new MissingError('member', `${name}.${path}`, `the types of ${types.name}`, near)
}
