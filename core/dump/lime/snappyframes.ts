// SPDX-License-Identifier: GPL-2.0-or-later
// Snappy's frame streams (google/snappy, framing_format.txt), read at any place: chunks of at most 64 KiB.

import { maskedCrc32c } from '../../codec/crc32c.ts'
import { hex } from '../../bytes/hex.ts'
import { decode } from '../../codec/index.ts'
import { snappy, snappyLength } from '../../codec/snappy.ts'
import { DumpError } from '../../errors.ts'
import { type FileBytes } from '../file.ts'

/** The most that a chunk unpacks to. */
export const MAX_CHUNK_BYTES = 65_536

const HEADER_BYTES = 4
const CRC_BYTES = 4
// Snappy's bound for 64 KiB that do not pack: 32 + n + n / 6.
const MAX_PACKED_BYTES = 76_490 + CRC_BYTES
const PACKED = 0x00
const PLAIN = 0x01
const FIRST_SKIPPED = 0x80
const STREAM_START = 0xff
const STREAM_NAME = 'sNaPpY'
// Writers fill their chunks. A file of empty chunks would keep a reader busy for nothing.
const LEAST_BYTES = 256
const FEW_CHUNKS = 1024

/** A stream's chunks. They may end before the stream should: then `problem` tells why. */
export interface Frames {
  /** Where each chunk's bytes begin in what the stream unpacks to, ascending. */
  readonly starts: readonly number[]
  /** Where each chunk's header lies in the file. */
  readonly offsets: readonly number[]
  /** How much all chunks unpack to. */
  readonly length: number
  /** The offset behind the last chunk. */
  readonly end: number
  readonly problem: DumpError | undefined
}

/** Finds the chunks of the stream at `offset` that unpacks to `length` bytes, by their headers. Does not throw. */
export function walkFrames(file: FileBytes, offset: number, length: number): Frames {
  const starts: number[] = []
  const offsets: number[] = []
  const most = length / LEAST_BYTES + FEW_CHUNKS
  let at = offset
  let done = 0
  try {
    for (let count = 0; done < length; count++) {
      if (count > most) throw broken(file, at, `is number ${count} of ${length} bytes`)
      const { type, size, unpacked } = readHeader(file, at)
      if (unpacked > length - done) {
        throw broken(file, at, `holds ${unpacked} bytes, but the range has ${length - done} left`)
      }
      // Of a chunk that is cut off not even the first page is there: its bytes are packed together.
      if (at + HEADER_BYTES + size > file.size) file.read(at, HEADER_BYTES + size, 'a Snappy chunk')
      if (type <= PLAIN) {
        starts.push(done)
        offsets.push(at)
      }
      done += unpacked
      at += HEADER_BYTES + size
    }
  } catch (error) {
    if (!(error instanceof DumpError)) throw error
    return { starts, offsets, length: done, end: at, problem: error }
  }
  return { starts, offsets, length: done, end: at, problem: undefined }
}

/** Unpacks the chunk at `offset`. Throws DumpError, code `codec`, when it or its checksum is wrong. */
export function readChunk(file: FileBytes, offset: number): Uint8Array {
  const { type, size, unpacked } = readHeader(file, offset)
  const body = file.read(offset + HEADER_BYTES, size, 'a Snappy chunk')
  const data = body.subarray(CRC_BYTES)
  let bytes: Uint8Array
  try {
    bytes = type === PACKED ? decode(snappy, data, unpacked) : data
  } catch (error) {
    if (error instanceof DumpError) throw broken(file, offset, `does not decode: ${error.message}`)
    throw error
  }
  const stated = little(body, CRC_BYTES)
  const found = maskedCrc32c(bytes)
  if (stated === found) return bytes
  throw broken(file, offset, `has the checksum ${hex(found, 8)}, but says ${hex(stated, 8)}`)
}

// The type and size of a chunk, and how many bytes it unpacks to, checked.
function readHeader(file: FileBytes, at: number) {
  const head = file.read(
    at,
    Math.min(HEADER_BYTES + CRC_BYTES + 5, file.size - at),
    'a Snappy chunk',
  )
  if (head.length < HEADER_BYTES) file.read(at, HEADER_BYTES, 'a Snappy chunk')
  const type = head[0] ?? 0
  const size = little(head.subarray(1), 3)
  if (type === STREAM_START) {
    const name = new TextDecoder('latin1').decode(head.subarray(4, 10))
    if (size === STREAM_NAME.length && name === STREAM_NAME) return { type, size, unpacked: 0 }
    throw broken(file, at, `begins no stream of the name ${STREAM_NAME}`)
  }
  if (type >= FIRST_SKIPPED) return { type, size, unpacked: 0 }
  if (type > PLAIN) throw broken(file, at, `has the type ${hex(type)}, which is not known`)
  if (size < CRC_BYTES || size > MAX_PACKED_BYTES) {
    throw broken(file, at, `has ${size} bytes, which cannot be`)
  }
  let unpacked = size - CRC_BYTES
  if (type === PACKED) {
    try {
      unpacked = snappyLength(head.subarray(HEADER_BYTES + CRC_BYTES, HEADER_BYTES + size))
    } catch (error) {
      throw broken(file, at, error instanceof Error ? error.message : String(error))
    }
  }
  if (unpacked <= MAX_CHUNK_BYTES) return { type, size, unpacked }
  throw broken(file, at, `holds ${unpacked} bytes; ${MAX_CHUNK_BYTES} are the most`)
}

function little(bytes: Uint8Array, count: number): number {
  let value = 0
  for (let i = count - 1; i >= 0; i--) value = value * 256 + (bytes[i] ?? 0)
  return value
}

function broken(file: FileBytes, at: number, problem: string): DumpError {
  return new DumpError('codec', `${file.name}: the Snappy chunk at ${at} ${problem}`)
}
