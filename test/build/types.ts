// SPDX-License-Identifier: GPL-2.0-or-later
// Types written by a test, as a readable description with the offsets of the kernel that it stands for.

import { Struct } from '../../core/types/struct.ts'
import { type EnumType, sizeOfType, type Type, type Types } from '../../core/types/type.ts'

const int = (size: number, signed: boolean): Type => ({
  kind: 'int',
  name: `${signed ? 's' : 'u'}${size * 8}`,
  size,
  signed,
  bool: false,
})

/**
 * Types from text, one struct or enum a block:
 *
 *     struct kvm_memslots 1072
 *       0x20 gfn_tree struct:rb_root
 *       0x428 node_idx s32
 *       0x430 nodes ptr[2]
 *     enum pageflags
 *       PG_locked 0
 *
 * Member types are u8 … u64, s8 … s64, ptr, and struct:NAME; [n] behind them makes an array.
 */
export function builtTypes(text: string): Types {
  const structs = new Map<string, Struct>()
  const enums = new Map<string, EnumType>()
  for (const block of text.trim().split(/\n(?=\s*(?:struct|union|enum)\s)/)) {
    const [head = '', ...lines] = block.trim().split('\n')
    const [kind, name = '', size] = head.trim().split(/\s+/)
    const words = lines.map((line) => line.trim().split(/\s+/)).filter(([word]) => word !== '')
    if (kind === 'enum') {
      const enumerators = new Map(words.map(([key = '', value]) => [key, Number(value)]))
      enums.set(name, { kind: 'enum', name, size: 4, signed: false, enumerators })
      continue
    }
    if (kind !== 'struct' && kind !== 'union') throw new Error(`not a type: ${head}`)
    const describe = () =>
      words.map(([offset, member = '', type = '']) => {
        const read = readType(type, structs)
        return {
          name: member === '-' ? '' : member,
          offset: Number(offset),
          size: sizeOfType(read) ?? 0,
          type: read,
        }
      })
    structs.set(name, new Struct(kind, name, Number(size), describe))
  }
  return {
    name: 'built by a test',
    struct: (name) => structs.get(name),
    structs: (name) => [structs.get(name)].flatMap((found) => found ?? []),
    type: (name) => structs.get(name) ?? enums.get(name),
    has: (name) => structs.has(name) || enums.has(name),
    sizeOf: (name) => structs.get(name)?.size,
    enumerators: (name) => enums.get(name)?.enumerators,
    enumerator: (name) => [...enums.values()].flatMap((e) => e.enumerators.get(name) ?? [])[0],
    enumeratorsLike: (pattern) =>
      new Map(
        [...enums.values()].flatMap((e) =>
          [...e.enumerators].filter(([name]) => pattern.test(name)),
        ),
      ),
    near: () => [],
  }
}

function readType(text: string, structs: ReadonlyMap<string, Struct>): Type {
  const [, base = '', count] = /^([\w:]+)(?:\[(\d+)\])?$/.exec(text) ?? []
  const element = readBase(base, structs)
  return count === undefined ? element : { kind: 'array', element, length: Number(count) }
}

function readBase(base: string, structs: ReadonlyMap<string, Struct>): Type {
  if (base === 'ptr') return { kind: 'pointer', target: { kind: 'void' } }
  const [, letter, bits] = /^([us])(8|16|32|64)$/.exec(base) ?? []
  if (bits !== undefined) return int(Number(bits) / 8, letter === 's')
  const struct = structs.get(base.replace(/^struct:/, ''))
  if (struct === undefined) throw new Error(`not a type: ${base}`)
  return struct
}
