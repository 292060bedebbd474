// SPDX-License-Identifier: GPL-2.0-or-later
// Types as C would write them.

import { MAX_DEPTH, type Member, type Type } from './type.ts'

/** A type in C's words, near enough to be read: `struct mm_struct *`, `char[16]`, `unsigned int`. */
export function cType(type: Type): string {
  let suffix = ''
  let inner = type
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    if (inner.kind === 'pointer') {
      // A star stands before the brackets of an array of pointers, and behind the type that is pointed at.
      suffix = suffix.startsWith('[') ? ` *${suffix}` : suffix === '' ? ' *' : ` *${suffix.trim()}`
      inner = inner.target
    } else if (inner.kind === 'array') {
      suffix = suffix.startsWith('[') ? `${suffix}[${inner.length}]` : `[${inner.length}]${suffix}`
      inner = inner.element
    } else {
      return word(inner) + suffix
    }
  }
  return '…'
}

/** The type of a member, with the width of a bit-field: `unsigned int : 3`. */
export function cMember({ type, bitSize }: Member): string {
  return bitSize === undefined ? cType(type) : `${cType(type)} : ${bitSize}`
}

function word(type: Exclude<Type, { kind: 'pointer' | 'array' }>): string {
  switch (type.kind) {
    case 'struct':
    case 'union':
    case 'enum':
      return type.name === '' ? `${type.kind} {…}` : `${type.kind} ${type.name}`
    case 'forward':
      return `struct ${type.name}`
    case 'int':
    case 'float':
    case 'typedef':
      return type.name
    case 'function':
      return 'function'
    case 'void':
      return 'void'
  }
}
