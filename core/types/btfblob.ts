// SPDX-License-Identifier: GPL-2.0-or-later
// BTF as bytes: header, records by type id, strings, and named types found by a hash of their names.
// Source: include/uapi/linux/btf.h and Documentation/bpf/btf.rst.

import { FormatError } from '../errors.ts'

/** The kinds of type records that are told apart here. */
export const BTF = {
  INT: 1,
  PTR: 2,
  ARRAY: 3,
  STRUCT: 4,
  UNION: 5,
  ENUM: 6,
  FWD: 7,
  TYPEDEF: 8,
  VOLATILE: 9,
  CONST: 10,
  RESTRICT: 11,
  FUNC: 12,
  FUNC_PROTO: 13,
  VAR: 14,
  DATASEC: 15,
  FLOAT: 16,
  DECL_TAG: 17,
  TYPE_TAG: 18,
  ENUM64: 19,
} as const

const MAGIC = 0xeb9f
/** hdr_len without the layout section of 7.1 and with it. */
const HEADER = 24
const HEADER_WITH_LAYOUT = 32
const RECORD = 12

/** What follows the 12 bytes of a record: bytes, and bytes for each of its vlen elements. By kind. */
const tails: readonly (readonly [number, number] | undefined)[] = [
  undefined,
  [4, 0],
  [0, 0],
  [12, 0],
  [0, 12],
  [0, 12],
  [0, 8],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 8],
  [4, 0],
  [0, 12],
  [0, 0],
  [4, 0],
  [0, 0],
  [0, 12],
]

/** Kinds that are found by name. */
const isNamed = Uint8Array.from({ length: 128 }, (_, kind) =>
  [BTF.INT, BTF.STRUCT, BTF.UNION, BTF.ENUM, BTF.TYPEDEF, BTF.ENUM64].some((one) => one === kind)
    ? 1
    : 0,
)

const BUCKETS = 1 << 15

/** One BTF: that of vmlinux, or that of a module, whose ids and string offsets count on from those of its base. */
export class BtfBlob {
  readonly name: string
  readonly base: BtfBlob | undefined
  /** The first type id: 1, or one more than the base's last. */
  readonly firstId: number
  /** The first string offset: 0, or the bytes of the base's strings. */
  readonly firstString: number
  /** The number of types. Ids go from `firstId` to below `firstId + count`; 0 is void. */
  readonly count: number
  /** The bytes, for DataView reads at what `at` gives. */
  readonly view: DataView
  /** The bytes of strings. */
  readonly stringBytes: number
  readonly #bytes: Uint8Array
  readonly #strings: number
  readonly #records: Uint32Array
  readonly #buckets = new Int32Array(BUCKETS)
  readonly #next: Int32Array
  #flagsEnums: boolean | undefined

  /** Indexes the records. Throws FormatError when header or records cannot be. */
  constructor(bytes: Uint8Array, name: string, base?: BtfBlob) {
    this.name = name
    this.base = base
    this.firstId = base === undefined ? 1 : base.firstId + base.count
    this.firstString = base === undefined ? 0 : base.firstString + base.stringBytes
    this.#bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const header = readHeader(this.view, name)
    this.#strings = header.strings
    this.stringBytes = header.stringBytes
    this.#records = indexRecords(this.view, header, name)
    this.count = this.#records.length
    this.#next = new Int32Array(this.count)
    this.#hashNames()
  }

  /** Where the record of a type begins. Throws FormatError for an id that this BTF does not have. */
  at(id: number): number {
    const record = this.#records[id - this.firstId]
    if (record !== undefined) return record
    throw new FormatError(
      `type ${id} does not exist: BTF of ${this.name} has the types ${this.firstId} to ${this.firstId + this.count - 1}`,
      'btf_type.type',
    )
  }

  /** The kind of a record. */
  kind(at: number): number {
    return this.view.getUint8(at + 7) & 0x7f
  }

  /** The number of a record's elements: 16 bits up to 7.1, 24 later; the upper ones were zero. */
  vlen(at: number): number {
    return this.view.getUint32(at + 4, true) & 0xffffff
  }

  /** The kind_flag of a record. */
  flag(at: number): boolean {
    return this.view.getUint8(at + 7) >= 0x80
  }

  /** Whether the encoder marks signed enums: one is marked, or there are enums of 64 bits, which came together. */
  get flagsEnums(): boolean {
    this.#flagsEnums ??= this.#records.some((at) => {
      const kind = this.kind(at)
      return kind === BTF.ENUM64 || (kind === BTF.ENUM && this.flag(at))
    })
    return this.#flagsEnums || (this.base?.flagsEnums ?? false)
  }

  /** The ids of the named types of a name, ascending. */
  ids(name: string): number[] {
    const letters = Buffer.from(name)
    const ids: number[] = []
    for (let entry = this.#buckets[hash(letters, 0)] ?? 0; entry !== 0;) {
      const at = this.#records[entry - 1] ?? 0
      if (this.spells(this.view.getUint32(at, true), letters)) ids.push(this.firstId + entry - 1)
      entry = this.#next[entry - 1] ?? 0
    }
    return ids.reverse()
  }

  /** The string at an offset, of the base too. */
  text(offset: number): string {
    const blob = this.#blobOf(offset)
    const from = blob.#strings + offset - blob.firstString
    const end = blob.#bytes.indexOf(0, from)
    return Buffer.from(blob.#bytes.buffer, blob.#bytes.byteOffset + from, end - from).toString()
  }

  /** Whether the string at an offset is this one. */
  spells(offset: number, letters: Uint8Array): boolean {
    const blob = this.#blobOf(offset)
    const from = blob.#strings + offset - blob.firstString
    for (let i = 0; i < letters.length; i++) {
      if (blob.#bytes[from + i] !== letters[i]) return false
    }
    return blob.#bytes[from + letters.length] === 0
  }

  /** The BTF that has a string: this one or its base. */
  #blobOf(offset: number): BtfBlob {
    if (offset < this.firstString && this.base !== undefined) return this.base.#blobOf(offset)
    if (offset < this.firstString + this.stringBytes) return this
    throw new FormatError(
      `string ${offset} does not exist: the strings of BTF ${this.name} end at ${this.firstString + this.stringBytes}`,
      'btf_type.name_off',
    )
  }

  #hashNames(): void {
    for (let i = 0; i < this.count; i++) {
      const at = this.#records[i] ?? 0
      if (isNamed[this.kind(at)] !== 1) continue
      const name = this.view.getUint32(at, true)
      if (name === 0) continue
      const blob = this.#blobOf(name)
      const bucket = hash(blob.#bytes, blob.#strings + name - blob.firstString)
      this.#next[i] = this.#buckets[bucket] ?? 0
      this.#buckets[bucket] = i + 1
    }
  }
}

interface Header {
  readonly types: number
  readonly typesEnd: number
  readonly strings: number
  readonly stringBytes: number
  /** The layout section: what follows a record of each kind. */
  readonly tails: readonly (readonly [number, number] | undefined)[]
}

function readHeader(view: DataView, name: string): Header {
  const size = view.byteLength
  const length = size >= HEADER ? view.getUint32(4, true) : 0
  if (size < HEADER || view.getUint16(0, true) !== MAGIC || view.getUint8(2) !== 1) {
    throw new FormatError(`${name}: no BTF of version 1`, 'btf_header.magic', 0)
  }
  if (length < HEADER || length > size) {
    throw new FormatError(`${name}: a BTF header of ${length} bytes`, 'btf_header.hdr_len', 4)
  }
  const section = (field: string, at: number): [number, number] => {
    const offset = length + view.getUint32(at, true)
    const bytes = view.getUint32(at + 4, true)
    if (offset + bytes <= size) return [offset, bytes]
    throw new FormatError(
      `${name}: the section of ${field} ends at ${offset + bytes}, the BTF at ${size}`,
      `btf_header.${field}`,
      at,
    )
  }
  const [types, typeBytes] = section('type_off', 8)
  const [strings, stringBytes] = section('str_off', 16)
  if (stringBytes === 0 || view.getUint8(strings + stringBytes - 1) !== 0) {
    throw new FormatError(`${name}: BTF strings without an end`, 'btf_header.str_len', 20)
  }
  const [layout, layoutBytes] =
    length >= HEADER_WITH_LAYOUT ? section('layout_off', 24) : ([0, 0] as const)
  return {
    types,
    typesEnd: types + typeBytes,
    strings,
    stringBytes,
    tails: [...tails, ...newTails(view, layout, layoutBytes)],
  }
}

/** Kinds that came after this was written, as the layout section of 7.1 describes them: they can be stepped over. */
function newTails(view: DataView, offset: number, bytes: number): (readonly [number, number])[] {
  const found: (readonly [number, number])[] = []
  for (let kind = tails.length; kind < 128 && kind * 4 + 4 <= bytes; kind++) {
    const at = offset + kind * 4
    found.push([view.getUint8(at), view.getUint8(at + 1)])
  }
  return found
}

/** Where each record begins. */
function indexRecords(view: DataView, header: Header, name: string): Uint32Array {
  const { typesEnd } = header
  // Twelve bytes a record at least.
  const records = new Uint32Array(Math.floor((typesEnd - header.types) / RECORD))
  const fixed = Uint8Array.from({ length: 128 }, (_, kind) => header.tails[kind]?.[0] ?? 0)
  const each = Uint8Array.from({ length: 128 }, (_, kind) => header.tails[kind]?.[1] ?? 0)
  const known = Uint8Array.from({ length: 128 }, (_, kind) => (header.tails[kind] ? 1 : 0))
  let count = 0
  let at = header.types
  while (at + RECORD <= typesEnd) {
    const info = view.getUint32(at + 4, true)
    const kind = (info >>> 24) & 0x7f
    if (known[kind] !== 1) {
      throw new FormatError(`${name}: BTF kind ${kind} is not known`, 'btf_type.info', at)
    }
    records[count++] = at
    at += RECORD + (fixed[kind] ?? 0) + (info & 0xffffff) * (each[kind] ?? 0)
  }
  if (at !== typesEnd) {
    throw new FormatError(
      `${name}: type ${count} ends at ${at}, but the types of its BTF at ${typesEnd}`,
      'btf_type.info',
      records[count - 1] ?? at,
    )
  }
  return records.slice(0, count)
}

/** FNV-1a of the letters up to a NUL or the end, as a bucket. */
function hash(bytes: Uint8Array, from: number): number {
  let value = 0x811c9dc5
  for (let i = from; i < bytes.length; i++) {
    const letter = bytes[i] ?? 0
    if (letter === 0) break
    value = Math.imul(value ^ letter, 0x01000193)
  }
  return (value ^ (value >>> 15)) & (BUCKETS - 1)
}
