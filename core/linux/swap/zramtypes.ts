// SPDX-License-Identifier: GPL-2.0-or-later
// The types of zram and zsmalloc: from the modules' own BTF, or, where they have none, a known form that must prove itself.

import { MissingError } from '../../errors.ts'
import { Struct } from '../../types/struct.ts'
import { sizeOfType, type Member, type Type, type Types } from '../../types/type.ts'
import { type Host } from '../host.ts'

/** Types, and where they come from. */
export interface FoundTypes {
  readonly types: Types
  /** True for the known form: nothing in the dump describes these structures, so what is read must be checked. */
  readonly isAssumed: boolean
}

/**
 * The types of a driver that can be built in or be a module. A module has BTF of its own since 5.11; before, the known
 * form of 5.x is given. Throws MissingError when the module is not loaded.
 */
export function driverTypes(host: Host, module: 'zram' | 'zsmalloc'): FoundTypes {
  const struct = module === 'zram' ? 'zram' : 'zs_pool'
  if (host.types.struct(struct) !== undefined) return { types: host.types, isAssumed: false }
  const own = host.modules.types(module)
  if (own?.struct(struct) !== undefined) return { types: own, isAssumed: false }
  if (host.modules.find(module) === undefined) {
    throw new MissingError('module', module, 'the dumped kernel')
  }
  return { types: knownTypes(host.types), isAssumed: true }
}

const word: Type = { kind: 'int', name: 'u64', size: 8, signed: false, bool: false }
const half: Type = { kind: 'int', name: 'u32', size: 4, signed: false, bool: false }
const to: Type = { kind: 'pointer', target: { kind: 'void' } }
const array = (length: number): Type => ({ kind: 'array', element: to, length })

type Row = readonly [offset: number, name: string, type: Type, firstBit?: number, bits?: number]

/**
 * The members that are read, as in drivers/block/zram and mm/zsmalloc.c of 5.1 to 5.16 without lock debugging.
 * zram_table_entry is 16 bytes, or 24 with CONFIG_ZRAM_MEMORY_TRACKING, which its reader must find out.
 */
const known: Readonly<Record<string, { size: number; rows: readonly Row[] }>> = {
  zram: {
    size: 32,
    rows: [
      [0, 'table', to],
      [8, 'mem_pool', to],
      [16, 'comp', to],
      [24, 'disk', to],
    ],
  },
  zram_table_entry: {
    size: 16,
    rows: [
      [0, 'handle', word],
      [8, 'flags', word],
    ],
  },
  zcomp: { size: 16, rows: [[8, 'name', to]] },
  zs_pool: {
    size: 2048,
    rows: [
      [0, 'name', to],
      [8, 'size_class', array(255)],
    ],
  },
  size_class: {
    size: 88,
    rows: [
      [72, 'size', half],
      [84, 'index', half],
    ],
  },
  zspage: {
    size: 16,
    rows: [
      [0, 'class', half, 2, 9],
      [0, 'magic', half, 14, 8],
    ],
  },
}

/** enum zram_pageflags of those kernels: ZRAM_FLAG_SHIFT is 24. */
const flags: ReadonlyMap<string, number> = new Map(
  ['LOCK', 'SAME', 'WB', 'UNDER_WB', 'HUGE', 'IDLE'].map((name, i) => [`ZRAM_${name}`, 24 + i]),
)

function member([offset, name, type, firstBit, bits]: Row): Member {
  const size = sizeOfType(type) ?? 0
  if (firstBit === undefined || bits === undefined) return { name, offset, size, type }
  // The bytes that the bit-field touches, as BTF has it.
  const start = Math.floor(firstBit / 8)
  const bitOffset = firstBit % 8
  const touched = Math.ceil((bitOffset + bits) / 8)
  return { name, offset: offset + start, size: touched, type, bitOffset, bitSize: bits }
}

/** The kernel's own types, with those of the known form added. */
function knownTypes(kernel: Types): Types {
  const structs = new Map(
    Object.entries(known).map(([name, { size, rows }]) => [
      name,
      new Struct('struct', name, size, () => rows.map(member)),
    ]),
  )
  const find = (name: string) => structs.get(name) ?? kernel.struct(name)
  return {
    name: 'zram of 5.x',
    struct: find,
    structs: (name) => [find(name)].flatMap((found) => found ?? []),
    type: (name) => structs.get(name) ?? kernel.type(name),
    has: (name) => structs.has(name) || kernel.has(name),
    sizeOf: (name) => structs.get(name)?.size ?? kernel.sizeOf(name),
    enumerators: (name) => (name === 'zram_pageflags' ? flags : kernel.enumerators(name)),
    enumerator: (name) => flags.get(name) ?? kernel.enumerator(name),
    enumeratorsLike: (pattern) => kernel.enumeratorsLike(pattern),
    near: (name) => kernel.near(name),
  }
}
