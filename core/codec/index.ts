// SPDX-License-Identifier: GPL-2.0-or-later
// The table of codecs by name.

import { DumpError } from '../errors.ts'
import { type Codec } from './codec.ts'
import { lz4 } from './lz4.ts'
import { lzo, lzoRle } from './lzo.ts'
import { snappy } from './snappy.ts'
import { zlib } from './zlib.ts'
import { zstd } from './zstd.ts'

// Of pages in kdump files.
const ofDumps: readonly Codec[] = [zlib, lzo, snappy, zstd]
// Of pages in zram, which has lzo and zstd as well. No flag of a dump names these.
const ofZram: readonly Codec[] = [lzoRle, lz4]

/** Every codec, by name. */
export const codecs: ReadonlyMap<string, Codec> = new Map(
  [...ofDumps, ...ofZram].map((codec) => [codec.name, codec]),
)

/**
 * Decodes one block of data to exactly `size` bytes, in an array of its own.
 * Throws DumpError with the code `codec`, and why, when the block is not sound or holds another size.
 */
export function decode(codec: Codec, data: Uint8Array, size: number): Uint8Array {
  let bytes: Uint8Array
  try {
    bytes = codec.decode(data, size)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new DumpError('codec', `${codec.name}: ${reason}`, { cause: error })
  }
  if (bytes.length !== size) {
    throw new DumpError(
      'codec',
      `${codec.name}: the data end after ${bytes.length} of ${size} bytes`,
    )
  }
  return bytes
}
