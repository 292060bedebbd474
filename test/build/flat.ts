// SPDX-License-Identifier: GPL-2.0-or-later
// Writes flattened files, as makedumpfile -F and QEMU do, and worse.

import { FLAT_HEADER_BYTES, FLAT_RECORD_BYTES, FLAT_SIGNATURE } from '../../core/dump/flat/flat.ts'

/** A record: bytes that go to an offset of the target. */
export type FlatPart = readonly [target: number, bytes: Uint8Array]

/** The bytes of a flattened file with these records in this order. */
export function buildFlat(
  records: readonly FlatPart[],
  { endMark = true, type = 1n, version = 1n } = {},
): Uint8Array {
  const data = records.reduce((sum, [, bytes]) => sum + FLAT_RECORD_BYTES + bytes.length, 0)
  const file = Buffer.alloc(FLAT_HEADER_BYTES + data + (endMark ? FLAT_RECORD_BYTES : 0))
  file.write(FLAT_SIGNATURE, 'latin1')
  file.writeBigInt64BE(type, 16)
  file.writeBigInt64BE(version, 24)
  let at = FLAT_HEADER_BYTES
  for (const [target, bytes] of records) {
    file.writeBigInt64BE(BigInt(target), at)
    file.writeBigInt64BE(BigInt(bytes.length), at + 8)
    file.set(bytes, at + FLAT_RECORD_BYTES)
    at += FLAT_RECORD_BYTES + bytes.length
  }
  if (endMark) file.fill(0xff, at)
  return new Uint8Array(file)
}

/** A file cut into records of `size` bytes; the first of them, with the signature, comes last, as makedumpfile's may. */
export function cutIntoRecords(bytes: Uint8Array, size: number): FlatPart[] {
  const records: FlatPart[] = []
  for (let at = 0; at < bytes.length; at += size) records.push([at, bytes.slice(at, at + size)])
  return [...records.slice(1), ...records.slice(0, 1)]
}
