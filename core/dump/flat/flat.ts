// SPDX-License-Identifier: GPL-2.0-or-later
// Flattened files (makedumpfile -F, QEMU's dump-guest-memory): records of a target file, in the order of writing.

import { FormatError, UnsupportedError } from '../../errors.ts'
import { withProgress } from '../../progress.ts'
import { checkRange, type FileBytes } from '../file.ts'
import { FlatIndex, type Stretch } from './flatindex.ts'

/** The signature: `makedumpfile` and four NULs (makedumpfile.h, MAKEDUMPFILE_SIGNATURE). */
export const FLAT_SIGNATURE = 'makedumpfile\0\0\0\0'
/** The header's block; the first record follows. */
export const FLAT_HEADER_BYTES = 4096
/** makedumpfile_data_header: the target offset and the size, both big-endian. The bytes follow. */
export const FLAT_RECORD_BYTES = 16
/** Offset and size of the record that ends the file (END_FLAG_FLAT_HEADER). */
const END = -1

// makedumpfile_header: the type and the version, both big-endian 64 bits.
const TYPE_AT = 16
const VERSION_AT = 24

/** Stretches of records that are kept, at most 64 records each: 4 MB. */
const KEPT_STRETCHES = 4096
// Read at once where a header is wanted: records may be as short as a descriptor.
const WINDOW = 512

/** Whether a file begins as a flattened one. */
export function isFlat(head: Uint8Array): boolean {
  return new TextDecoder('latin1').decode(head.subarray(0, 16)) === FLAT_SIGNATURE
}

/** Throws UnsupportedError when the header is of another kind or version than all that makedumpfile ever wrote. */
export function checkFlatHeader(name: string, head: Uint8Array): void {
  if (head.length < FLAT_HEADER_BYTES) {
    throw new FormatError(
      `${name}: a flattened file, but it ends at ${head.length}, in its header`,
      'makedumpfile_header',
      head.length,
    )
  }
  const view = new DataView(head.buffer, head.byteOffset, head.length)
  const [type, version] = [view.getBigInt64(TYPE_AT), view.getBigInt64(VERSION_AT)]
  if (type === 1n && version === 1n) return
  throw new UnsupportedError(
    `${name}: a flattened file of type ${type} and version ${version}; type 1, version 1 is known`,
    'flattened version',
  )
}

/** What a record's header says, checked. */
export type FlatRecord = { readonly target: number; readonly size: number } | 'end'

/** Reads a record's header, at `at` of the file. Throws FormatError for numbers that no writer writes. */
export function readRecord(name: string, view: DataView, offset: number, at: number): FlatRecord {
  // A terabyte has millions of records: without bigints. Above 2^53 they are not exact, and refused.
  const target = view.getInt32(offset) * 2 ** 32 + view.getUint32(offset + 4)
  const size = view.getInt32(offset + 8) * 2 ** 32 + view.getUint32(offset + 12)
  if (target === END && size === END) return 'end'
  if (target >= 0 && size > 0 && target + size <= Number.MAX_SAFE_INTEGER) return { target, size }
  throw new FormatError(
    `${name}: the record at ${at} says ${size} bytes at ${target} of the target, which cannot be`,
    'makedumpfile_data_header',
    at,
  )
}

/**
 * The target of a flattened file, as if it had been rearranged. Opening goes through the headers of all records once.
 * Bytes that no record has are zeros, as they are in the file that makedumpfile -R makes. Of records that go to the
 * same place the later one counts.
 */
export class FlatFile implements FileBytes {
  readonly name: string
  readonly size: number
  readonly remarks: readonly string[]
  readonly #file: FileBytes
  readonly #index = new FlatIndex()
  // The places of records of a stretch: file offset of the bytes, target, size; by stretch, the oldest first.
  readonly #kept = new Map<number, readonly number[]>()

  /** Throws FormatError when a record cannot be; a file that ends early is used as far as it goes. */
  constructor(file: FileBytes) {
    this.name = file.name
    this.#file = file
    checkFlatHeader(file.name, file.read(0, Math.min(FLAT_HEADER_BYTES, file.size), 'header'))
    const work = { label: 'reading the records', unit: 'bytes', total: file.size }
    this.remarks = withProgress(work, (advance) => this.#goThrough(advance))
    this.#index.seal()
    this.size = this.#index.size
  }

  /** The number of records. */
  get records(): number {
    return this.#index.records
  }

  read(offset: number, length: number, what: string): Uint8Array {
    checkRange(`${this.name} (flattened)`, this.size, offset, length, what)
    const end = offset + length
    // File offset, target and size of each record that has some of these bytes.
    const parts: [place: number, target: number, size: number][] = []
    for (const stretch of this.#index.stretches(offset, end)) {
      const records = this.#records(stretch)
      for (let i = 0; i < records.length; i += 3) {
        const [place, target, size] = [records[i] ?? 0, records[i + 1] ?? 0, records[i + 2] ?? 0]
        if (target < end && target + size > offset) parts.push([place, target, size])
      }
    }
    const bytes = new Uint8Array(length)
    // What was written later replaces what was written before.
    for (const [place, target, size] of parts.sort(([a], [b]) => a - b)) {
      const from = Math.max(offset, target)
      const to = Math.min(end, target + size)
      bytes.set(this.#file.read(place + (from - target), to - from, what), from - offset)
    }
    return bytes
  }

  close(): void {
    this.#file.close()
  }

  // Gives what is to be said of the file's end.
  #goThrough(advance: (bytes: number) => void): string[] {
    const { name, size: fileSize } = this.#file
    const headers = new Headers(this.#file)
    let at = FLAT_HEADER_BYTES
    let told = 0
    for (;;) {
      if (at + FLAT_RECORD_BYTES > fileSize) break
      const record = headers.at(at)
      if (record === 'end') return []
      const next = at + FLAT_RECORD_BYTES + record.size
      if (next > fileSize) break
      this.#index.add(at, record.target, record.size)
      if ((this.#index.records & 0xffff) === 0) {
        advance(at - told)
        told = at
      }
      at = next
    }
    if (this.#index.records === 0) {
      throw new FormatError(
        `${name}: a flattened file that ends at ${fileSize}, before its first record does`,
        'makedumpfile_data_header',
        at,
      )
    }
    return [
      `the flattened file is cut off: it has no end mark, and its last whole record ends at ${at} of ${fileSize}`,
    ]
  }

  #records(stretch: Stretch): readonly number[] {
    let records = this.#kept.get(stretch.key)
    if (records === undefined) {
      records = this.#walk(stretch)
      if (this.#kept.size >= KEPT_STRETCHES) {
        const [oldest] = this.#kept.keys()
        if (oldest !== undefined) this.#kept.delete(oldest)
      }
    } else {
      this.#kept.delete(stretch.key)
    }
    this.#kept.set(stretch.key, records)
    return records
  }

  // From the stretch's first record on, those that continue it. Between them may be records that go elsewhere.
  #walk({ place, target, end }: Stretch): readonly number[] {
    const records: number[] = []
    const headers = new Headers(this.#file)
    for (let at = place, next = target; next < end;) {
      const record = headers.at(at)
      if (record === 'end') break
      if (record.target === next) {
        records.push(at + FLAT_RECORD_BYTES, next, record.size)
        next += record.size
      }
      at += FLAT_RECORD_BYTES + record.size
    }
    return records
  }
}

/** Records' headers, one after the other: short records share a read. */
class Headers {
  readonly #file: FileBytes
  #view: DataView = new DataView(new ArrayBuffer(0))
  #start = 0

  constructor(file: FileBytes) {
    this.#file = file
  }

  at(at: number): FlatRecord {
    if (at < this.#start || at + FLAT_RECORD_BYTES > this.#start + this.#view.byteLength) {
      const bytes = this.#file.read(at, Math.min(WINDOW, this.#file.size - at), 'a record')
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
      this.#start = at
    }
    return readRecord(this.#file.name, this.#view, at - this.#start, at)
  }
}

/** For a flattened file in another: nobody makes them, and following them would have no end. */
export function flatInFlat(name: string): UnsupportedError {
  const what = 'a flattened file in a flattened file'
  return new UnsupportedError(`${name} is ${what}, which is not supported`, what)
}
