// SPDX-License-Identifier: GPL-2.0-or-later
// The pages of one column in a row group of Parquet, one after the other.
// Numbers of fields: parquet-format, src/main/thrift/parquet.thrift, "PageHeader".

import { type FileBytes } from '../dump/file.ts'
import { FormatError } from '../errors.ts'
import { BitRuns } from './bitruns.ts'
import { unpack } from './parquetcodecs.ts'
import { type ParquetChunk } from './parquetfooter.ts'
import { type LeafType, valuesIn } from './parquetvalues.ts'
import { Thrift } from './thrift.ts'
import { type Values } from './values.ts'

/** Values of a page, in order. */
export interface Page {
  readonly rows: number
  /** Offset in the file behind it. */
  readonly end: number
  /** The values by their places, where none is missing and none is in a dictionary. */
  readonly plain: Values | undefined
  /** The place of the next row's value in `values`; undefined where it is null. */
  readonly next: () => number | undefined
  readonly values: Values
}

interface Header {
  kind: number
  size: number
  packed: number
  count: number
  encoding: number
  levels: number
  repetitions: number
  isPacked: boolean
  /** How many bytes the header itself has. */
  length: number
}

const DATA = 0
const DICTIONARY = 2
const DATA_V2 = 3
const PLAIN_DICTIONARY = 2
const RLE_DICTIONARY = 8
/** Headers have some tens of bytes, and with the least and greatest text of a page in them more, seldom. */
const HEADER_BYTES = 4096
const MOST_HEADER = 16 << 20

/** All data pages. Throws FormatError when they have more or fewer rows than the row group. */
export function* pagesOf(
  file: FileBytes,
  chunk: ParquetChunk,
  leaf: LeafType,
  optional: boolean,
): Generator<Page> {
  const end = chunk.at + chunk.bytes
  let dictionary: Values | undefined
  let left = chunk.rows
  for (let at = chunk.at; left > 0;) {
    const header = headerAt(file, at, end)
    const start = at + header.length
    at = start + header.packed
    if (header.packed < 0 || at > end) {
      const what = `a page of ${header.packed} bytes goes beyond its column, which ends at ${end}`
      throw new FormatError(what, 'compressed_page_size', start)
    }
    if (header.kind !== DATA && header.kind !== DICTIONARY && header.kind !== DATA_V2) continue
    if (header.count < 0 || (header.kind !== DICTIONARY && header.count > left)) {
      const what = `a page has ${header.count} values where ${left} are left`
      throw new FormatError(what, 'num_values', start)
    }
    const data = file.read(start, header.packed, 'a page')
    if (header.kind === DICTIONARY) {
      const bytes = unpack(chunk.codec, data, header.size, start)
      dictionary = valuesIn(0, bytes, header.count, leaf)
      continue
    }
    const { levels, bytes } =
      header.kind === DATA
        ? firstVersion(unpack(chunk.codec, data, header.size, start), optional)
        : secondVersion(header, data, chunk.codec, start, optional)
    left -= header.count
    yield { rows: header.count, end: at, ...read(header, levels, bytes, leaf, dictionary) }
  }
}

function read(
  { count, encoding }: Header,
  levels: Uint8Array | undefined,
  bytes: Uint8Array,
  leaf: LeafType,
  dictionary: Values | undefined,
): Omit<Page, 'rows' | 'end'> {
  let there = count
  if (levels !== undefined) {
    const runs = new BitRuns(levels, 1)
    there = 0
    for (let i = 0; i < count; i++) there += runs.next()
  }
  const isIndexed = encoding === PLAIN_DICTIONARY || encoding === RLE_DICTIONARY
  if (isIndexed && dictionary === undefined && there > 0) {
    throw new FormatError('a page has no dictionary before it', 'dictionary_page_offset')
  }
  const values = isIndexed ? (dictionary ?? none) : valuesIn(encoding, bytes, there, leaf)
  // The first byte says how many bits a place in the dictionary has.
  const places = isIndexed ? new BitRuns(bytes.subarray(1), bytes[0] ?? 0) : undefined
  const runs = levels === undefined || there === count ? undefined : new BitRuns(levels, 1)
  let taken = 0
  const next = (): number | undefined => {
    if (runs?.next() === 0) return undefined
    const place = places ? places.next() : taken++
    if (place < values.length) return place
    throw new FormatError(`a value is the ${place}th of ${values.length}`, 'page')
  }
  return { plain: runs === undefined && !isIndexed ? values : undefined, next, values }
}

const none: Values = { length: 0, put: () => undefined }

/** Levels, with their length in front, and values are compressed together. */
function firstVersion(
  page: Uint8Array,
  optional: boolean,
): { levels: Uint8Array | undefined; bytes: Uint8Array } {
  if (!optional) return { levels: undefined, bytes: page }
  const view = new DataView(page.buffer, page.byteOffset, page.length)
  const length = page.length < 4 ? Infinity : view.getUint32(0, true)
  if (4 + length > page.length) {
    throw new FormatError(`a page of ${page.length} bytes has ${length} of levels`, 'page')
  }
  return { levels: page.subarray(4, 4 + length), bytes: page.subarray(4 + length) }
}

/** Levels lie in front of the values and are not compressed. */
function secondVersion(
  { repetitions, levels, size, isPacked }: Header,
  data: Uint8Array,
  codec: number,
  at: number,
  optional: boolean,
): { levels: Uint8Array | undefined; bytes: Uint8Array } {
  const behind = repetitions + levels
  if (repetitions < 0 || levels < 0 || behind > data.length || behind > size) {
    const what = `a page of ${data.length} bytes has ${behind} of levels`
    throw new FormatError(what, 'definition_levels_byte_length', at)
  }
  const packed = data.subarray(behind)
  return {
    levels: optional ? data.subarray(repetitions, behind) : undefined,
    bytes: isPacked ? unpack(codec, packed, size - behind, at) : packed,
  }
}

function headerAt(file: FileBytes, at: number, end: number): Header {
  const small = Math.min(HEADER_BYTES, end - at)
  try {
    return readHeader(file.read(at, small, 'the header of a page'), at)
  } catch (error) {
    const large = Math.min(MOST_HEADER, end - at)
    if (large === small) throw error
    return readHeader(file.read(at, large, 'the header of a page'), at)
  }
}

function readHeader(bytes: Uint8Array, at: number): Header {
  const header: Header = {
    ...{ kind: -1, size: -1, packed: -1, count: -1, encoding: -1 },
    ...{ levels: 0, repetitions: 0, isPacked: true, length: 0 },
  }
  const thrift = new Thrift(bytes, at)
  const counts = {
    1: (page: Thrift, type: number) => (header.count = page.int(type)),
    2: (page: Thrift, type: number) => (header.encoding = page.int(type)),
  }
  thrift.struct({
    1: (page, type) => (header.kind = page.int(type)),
    2: (page, type) => (header.size = page.int(type)),
    3: (page, type) => (header.packed = page.int(type)),
    5: (page, type) => {
      page.struct(counts, type)
    },
    7: (page, type) => {
      page.struct({ 1: counts[1] }, type)
    },
    8: (page, type) => {
      page.struct(
        {
          1: counts[1],
          4: counts[2],
          5: (inner, kind) => (header.levels = inner.int(kind)),
          6: (inner, kind) => (header.repetitions = inner.int(kind)),
          7: (inner, kind) => (header.isPacked = inner.bool(kind)),
        },
        type,
      )
    },
  })
  return { ...header, length: thrift.at }
}
