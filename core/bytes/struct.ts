// SPDX-License-Identifier: GPL-2.0-or-later
// Declared binary structures: one declaration is read by the readers and written by the tests.

import { FormatError } from '../errors.ts'

/** How one member lies in memory. `T` is what it reads as. */
export interface Field<T> {
  readonly size: number
  readonly align: number
  read(view: DataView, at: number, little: boolean): T
  write(view: DataView, at: number, value: T, little: boolean): void
  /** The first header version that has this member; 0 when all have it. */
  readonly since: number
  /** What reads in versions that lack it. */
  readonly fallback?: T
}

function integer(
  size: number,
  read: Field<number>['read'],
  write: Field<number>['write'],
): Field<number> {
  return { size, align: size, read, write, since: 0 }
}

/** An unsigned byte. */
export const u8 = integer(
  1,
  (view, at) => view.getUint8(at),
  (view, at, value) => {
    view.setUint8(at, value)
  },
)

/** An unsigned 16-bit integer. */
export const u16 = integer(
  2,
  (view, at, little) => view.getUint16(at, little),
  (view, at, value, little) => {
    view.setUint16(at, value, little)
  },
)

/** An unsigned 32-bit integer. */
export const u32 = integer(
  4,
  (view, at, little) => view.getUint32(at, little),
  (view, at, value, little) => {
    view.setUint32(at, value, little)
  },
)

/** A signed 32-bit integer. */
export const i32 = integer(
  4,
  (view, at, little) => view.getInt32(at, little),
  (view, at, value, little) => {
    view.setInt32(at, value, little)
  },
)

/** An unsigned 64-bit integer, a bigint. */
export const u64: Field<bigint> = {
  size: 8,
  align: 8,
  read: (view, at, little) => view.getBigUint64(at, little),
  write(view, at, value, little) {
    view.setBigUint64(at, value, little)
  },
  since: 0,
}

/** A signed 64-bit integer, a bigint. */
export const i64: Field<bigint> = {
  ...u64,
  read: (view, at, little) => view.getBigInt64(at, little),
}

/** `char[length]`: a text that a NUL or the array's end ends. Too long a text is cut when written. */
export function chars(length: number): Field<string> {
  return {
    size: length,
    align: 1,
    read(view, at) {
      const bytes = new Uint8Array(view.buffer, view.byteOffset + at, length)
      const end = bytes.indexOf(0)
      return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end))
    },
    write(view, at, value) {
      const bytes = new Uint8Array(view.buffer, view.byteOffset + at, length)
      bytes.fill(0)
      new TextEncoder().encodeInto(value, bytes)
    },
    since: 0,
  }
}

/** A member that headers below `version` do not have; there it reads as `fallback` and is not written. */
export function since<T>(version: number, field: Field<T>, fallback: T): Field<T> {
  return { ...field, since: version, fallback }
}

type Fields = Readonly<Record<string, Field<number> | Field<bigint> | Field<string>>>

/** A C structure: its members in order, and where the C compiler's alignment puts them. */
export interface Struct<F extends Fields> {
  readonly name: string
  readonly fields: F
  /** The offset of each member in bytes. */
  readonly offsets: { readonly [K in keyof F]: number }
  /** `sizeof`, in the newest version. */
  readonly size: number
  /** The bytes in use in a header version: up to the end of its last member, without padding. */
  sizeAt(version: number): number
}

/** The values of a structure's members: `Infer<typeof page_desc>` is `{ offset: bigint, size: number, … }`. */
export type Infer<S> =
  S extends Struct<infer F> ? { [K in keyof F]: F[K] extends Field<infer T> ? T : never } : never

/** How a structure is read or written: in which header version (newest when not given), in which byte order (little). */
export interface Encoding {
  readonly version?: number
  readonly little?: boolean
}

/** Declares a structure: `struct('page_desc', { offset: i64, size: u32, flags: u32, page_flags: u64 })`. */
export function struct<const F extends Fields>(name: string, fields: F): Struct<F> {
  const offsets: Record<string, number> = {}
  let end = 0
  let align = 1
  for (const [member, field] of Object.entries(fields)) {
    const at = alignUp(end, field.align)
    offsets[member] = at
    end = at + field.size
    align = Math.max(align, field.align)
  }
  return {
    name,
    fields,
    offsets: offsets as Struct<F>['offsets'],
    size: alignUp(end, align),
    sizeAt(version) {
      let used = 0
      for (const [member, field] of Object.entries(fields)) {
        if (field.since <= version) used = Math.max(used, (offsets[member] ?? 0) + field.size)
      }
      return used
    },
  }
}

/**
 * Reads all members at `at`. Throws FormatError when the bytes end before the structure does.
 * For loops over many structures read the members directly, at `offsets`.
 */
export function readStruct<F extends Fields>(
  type: Struct<F>,
  view: DataView,
  at: number,
  { version = Infinity, little = true }: Encoding = {},
): Infer<Struct<F>> {
  const need = type.sizeAt(version)
  if (at < 0 || at + need > view.byteLength) {
    const have = Math.max(0, view.byteLength - at)
    throw new FormatError(
      `${type.name} needs ${need} bytes, but only ${have} are left`,
      type.name,
      at,
    )
  }
  const values: Record<string, unknown> = {}
  for (const [member, field] of Object.entries(type.fields)) {
    const offset = at + (type.offsets[member] ?? 0)
    values[member] = field.since <= version ? field.read(view, offset, little) : field.fallback
  }
  return values as Infer<Struct<F>>
}

/** Writes members at `at`; those not given become 0 or empty. Members above the version are left as they are. */
export function writeStruct<F extends Fields>(
  type: Struct<F>,
  view: DataView,
  at: number,
  values: Partial<Infer<Struct<F>>>,
  { version = Infinity, little = true }: Encoding = {},
): void {
  new Uint8Array(view.buffer, view.byteOffset + at, type.sizeAt(version)).fill(0)
  const given: Readonly<Record<string, unknown>> = values
  for (const [member, field] of Object.entries<Field<unknown>>(type.fields)) {
    const value = given[member]
    if (value === undefined || field.since > version) continue
    field.write(view, at + (type.offsets[member] ?? 0), value, little)
  }
}

function alignUp(value: number, align: number): number {
  return Math.ceil(value / align) * align
}
