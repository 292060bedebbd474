// SPDX-License-Identifier: GPL-2.0-or-later
// Paths of members, such as `f_path.dentry` or `memslots[0].flags`.

import { resolve, sizeOfType, type Member, type StructType } from './type.ts'

/** Follows a path of members from a struct. Undefined when a step is not there or would go through a pointer. */
export function memberAtPath(from: StructType, path: string): Member | undefined {
  let member: Member | undefined
  for (const [step] of path.matchAll(/[^.[\]]+|\[\d+\]/g)) {
    const next = step.startsWith('[') ? elementOf(member, step) : fieldOf(from, member, step)
    if (next === undefined) return undefined
    member = next
  }
  return member
}

function fieldOf(from: StructType, outer: Member | undefined, name: string): Member | undefined {
  if (outer === undefined) return from.field(name)
  const type = resolve(outer.type)
  if (type.kind !== 'struct' && type.kind !== 'union') return undefined
  const inner = type.field(name)
  return inner && { ...inner, offset: outer.offset + inner.offset }
}

function elementOf(array: Member | undefined, step: string): Member | undefined {
  if (array === undefined) return undefined
  const type = resolve(array.type)
  if (type.kind !== 'array') return undefined
  const index = Number(step.slice(1, -1))
  // How many elements an open array has is known to its owner only.
  if (type.length > 0 && index >= type.length) return undefined
  const size = sizeOfType(type.element)
  if (size === undefined || !Number.isSafeInteger(index * size)) return undefined
  return { name: array.name + step, offset: array.offset + index * size, size, type: type.element }
}
