// SPDX-License-Identifier: GPL-2.0-or-later
// The tables of kallsyms by the addresses that VMCOREINFO gives since 6.0, and the check that names are names.

import { hex } from '../bytes/hex.ts'
import { FormatError } from '../errors.ts'
import { type Space } from '../space/space.ts'
import { type Vmcoreinfo } from '../vmcoreinfo/parse.ts'
import { type AddressTables } from './addresses.ts'
import { walkNames, type NameWalk, type Steps } from './names.ts'
import { MAX_TOKEN_TABLE_BYTES, readTokens, TOKEN_INDEX_BYTES, type Tokens } from './tokens.ts'

/** The tables of one kernel, with the names in memory. */
export interface Tables {
  readonly count: number
  /** Begins with the first name; more may follow behind the last one. */
  readonly names: Uint8Array
  /** Whether lengths may take two bytes. */
  readonly wide: boolean
  readonly walk: NameWalk
  readonly tokens: Tokens
  /** Where the addresses may be. */
  readonly addressTables: readonly AddressTables[]
}

/** 7.3 has 210,000 symbols, an all-yes build below a million. */
export const MAX_SYMBOLS = 4_000_000
const MAX_NAMES_BYTES = 64 << 20

/** The tables at the addresses of VMCOREINFO; undefined when it has not all of them. Throws FormatError, FaultError. */
export function tablesByKeys(space: Space, vmcoreinfo: Vmcoreinfo): Tables | undefined {
  const key = (name: string): bigint | undefined => vmcoreinfo.symbol(`kallsyms_${name}`)
  const [numSyms, names, table, index] = ['num_syms', 'names', 'token_table', 'token_index'].map(
    key,
  )
  if (numSyms === undefined || names === undefined || table === undefined || index === undefined) {
    return undefined
  }
  const count = space.u32(numSyms)
  if (count === 0 || count > MAX_SYMBOLS) {
    throw new FormatError(`kallsyms_num_syms is ${count}`, 'kallsyms_num_syms', numSyms)
  }
  // The token table lies behind the names in every order of the tables there was.
  const bytes = space.bytes(names, distance(names, table, MAX_NAMES_BYTES, 'kallsyms_token_table'))
  const tokenBytes = distance(table, index, MAX_TOKEN_TABLE_BYTES, 'kallsyms_token_index')
  const tokens = readTokens(space.bytes(table, tokenBytes), space.bytes(index, TOKEN_INDEX_BYTES))
  const found = walkWithMarkers(bytes, 0, count, names)
  if (found === undefined) {
    throw new FormatError(
      `${count} names at ${hex(names)} do not agree with the markers behind them`,
      'kallsyms_names',
      names,
    )
  }
  const [offsets, relativeBase, addresses] = ['offsets', 'relative_base', 'addresses'].map(key)
  const addressTables = {
    ...(offsets !== undefined && { offsets }),
    ...(relativeBase !== undefined && { relativeBase }),
    ...(addresses !== undefined && { addresses }),
  }
  return { count, names: bytes, ...found, tokens, addressTables: [addressTables] }
}

function distance(from: bigint, to: bigint, limit: number, field: string): number {
  const size = to - from
  if (size > 0n && size <= BigInt(limit)) return Number(size)
  throw new FormatError(`${field} lies ${size} bytes behind the table before it`, field, to)
}

/**
 * Walks names and checks the walk by `kallsyms_markers`, which follows aligned to 4 or 8 bytes with entries of 4 bytes,
 * or 8 up to 4.19. `address` is that of the first name. Markers also tell which rule the lengths follow.
 */
export function walkWithMarkers(
  bytes: Uint8Array,
  from: number,
  count: number,
  address: bigint,
  steps?: Steps,
): { wide: boolean; walk: NameWalk } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (const wide of [true, false]) {
    const walk = walkNames(bytes, from, count, wide, steps)
    if (walk === undefined) continue
    for (const align of [8n, 4n]) {
      const behind = address + BigInt(walk.end - from)
      const at = walk.end + Number(alignUp(behind, align) - behind)
      const agrees = [4, 8].some((width) => markersAgree(view, at, width, walk.markers))
      if (agrees) return { wide, walk: { ...walk, end: walk.end - from } }
    }
  }
  return undefined
}

function markersAgree(view: DataView, at: number, width: number, markers: Uint32Array): boolean {
  if (at + markers.length * width > view.byteLength) return false
  return markers.every((marker, i) => {
    const place = at + i * width
    if (width === 8 && view.getUint32(place + 4, true) !== 0) return false
    return view.getUint32(place, true) === marker
  })
}

/** The next multiple of `align`, or the value itself. */
export function alignUp(value: bigint, align: bigint): bigint {
  return ((value + align - 1n) / align) * align
}
