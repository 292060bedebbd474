// SPDX-License-Identifier: GPL-2.0-or-later
// Compressed pages of Parquet (parquet-format, Compression.md), to the size that their headers say, if that can be.

import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { codecs, decode } from '../codec/index.ts'
import { FormatError, UnsupportedError } from '../errors.ts'

/** One compression of the table: its name, the most bytes that one byte can become, and how. */
interface PageCodec {
  readonly name: string
  readonly most: number
  readonly decode?: (data: Uint8Array, size: number) => Uint8Array
}

/** By their numbers in the footer. */
const pageCodecs: readonly PageCodec[] = [
  { name: 'none', most: 1, decode: (data) => data },
  // A copy of 64 bytes has three.
  { name: 'Snappy', most: 22, decode: (data, size) => decoded('snappy', data, size) },
  // Deflate: 258 bytes in two bits.
  { name: 'gzip', most: 1032, decode: (data, size) => gunzipSync(data, { maxOutputLength: size }) },
  { name: 'LZO', most: 256 },
  {
    ...{ name: 'Brotli', most: Infinity },
    decode: (data, size) => brotliDecompressSync(data, { maxOutputLength: size }),
  },
  { name: 'the old LZ4, which has no sound definition', most: 256 },
  // A block of 128 KiB of one byte has four.
  { name: 'Zstandard', most: 32768, decode: (data, size) => decoded('zstd', data, size) },
  { name: 'LZ4', most: 255, decode: (data, size) => decoded('lz4', data, size) },
]

/** No page is larger: writers make them of a megabyte, and some of up to a hundred. */
export const MOST_PAGE = 128 << 20

function decoded(name: string, data: Uint8Array, size: number): Uint8Array {
  const codec = codecs.get(name)
  if (codec === undefined) throw new Error(`no codec ${name}`)
  return decode(codec, data, size)
}

/** What `data`, at offset `at` of the file, hold. Throws FormatError when they do not hold exactly `size` bytes. */
export function unpack(number: number, data: Uint8Array, size: number, at: number): Uint8Array {
  const codec = pageCodecs[number]
  if (codec === undefined) {
    throw new FormatError(`there is no compression ${number}`, 'ColumnMetaData.codec', at)
  }
  if (codec.decode === undefined) {
    const what = `its pages are compressed by ${codec.name}`
    throw new UnsupportedError(`${what}: write it with Zstandard, gzip or Snappy`, codec.name)
  }
  // 64 more for short pages: headers and checksums count, too.
  if (!(size >= 0 && size <= (data.length + 64) * codec.most)) {
    const what = `a page of ${data.length} bytes (compression: ${codec.name})`
    throw new FormatError(`${what} would hold ${size}`, 'uncompressed_page_size', at)
  }
  // It can be a sound one.
  if (size > MOST_PAGE) {
    const what = `a page at ${at} holds ${size} bytes, and none above ${MOST_PAGE} is read`
    throw new UnsupportedError(
      `${what}: write it with smaller pages`,
      'Parquet pages above 128 MiB',
    )
  }
  let bytes: Uint8Array
  try {
    bytes = size === 0 ? new Uint8Array(0) : codec.decode(data, size)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new FormatError(`a page does not decode: ${reason}`, 'page', at)
  }
  if (bytes.length === size) return bytes
  throw new FormatError(`a page holds ${bytes.length} of ${size} bytes`, 'page', at)
}
