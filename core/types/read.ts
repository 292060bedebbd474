// SPDX-License-Identifier: GPL-2.0-or-later
// Integers of any width and bit-fields, read from an address space.

import { type Space } from '../space/space.ts'
import { type Member } from './type.ts'

/** An unsigned integer of 1, 2 or 4 bytes. */
export function readUnsigned(space: Space, at: bigint, size: 1 | 2 | 4): number {
  return size === 4 ? space.u32(at) : size === 2 ? space.u16(at) : space.u8(at)
}

/** A signed integer of 1, 2 or 4 bytes. */
export function readSigned(space: Space, at: bigint, size: 1 | 2 | 4): number {
  if (size === 4) return space.i32(at)
  const shift = size === 2 ? 16 : 24
  return (readUnsigned(space, at, size) << shift) >> shift
}

/** A little-endian integer of any number of bytes. */
export function readWide(space: Space, at: bigint, size: number): bigint {
  let value = 0n
  for (const byte of space.bytes(at, size).reverse()) value = (value << 8n) | BigInt(byte)
  return value
}

/** The bits of a bit-field in the struct at an address, not extended. Bits count from the lowest of the first byte. */
export function readBits(space: Space, struct: bigint, member: Member, width: number): bigint {
  const bytes = readWide(space, struct + BigInt(member.offset), member.size)
  return BigInt.asUintN(width, bytes >> BigInt(member.bitOffset ?? 0))
}
