// SPDX-License-Identifier: GPL-2.0-or-later
// Structs as C text, laid out as a compiler for x86-64 would, and written as the BTF of a kernel.

import { readBtf } from '../../core/types/btf.ts'
import { type Types } from '../../core/types/type.ts'
import { BtfBuilder, type WrittenMember } from './btf.ts'

/** The BTF of some C text, and the same as types to look members up in. */
export interface CText {
  readonly btf: Uint8Array
  readonly types: Types
}

/** A type that will be written: its id is known from the start, so that structs can point at each other. */
interface Written {
  readonly id: number
  size: number
  align: number
  write: (btf: BtfBuilder) => void
}

// Everything but the last word of a base type is written together: `unsigned long`.
const bases: Readonly<Record<string, readonly [size: number, signed: boolean]>> = {
  char: [1, true],
  'unsigned char': [1, false],
  short: [2, true],
  'unsigned short': [2, false],
  int: [4, true],
  'unsigned int': [4, false],
  long: [8, true],
  'unsigned long': [8, false],
}

/**
 * Reads struct, union and enum definitions. Members are base types, pointers, arrays, structs that were defined above,
 * and structs and unions without a name. No bit-fields, typedefs, functions or attributes.
 */
export function readCText(text: string): CText {
  return new Parser(text).all()
}

class Parser {
  readonly #words: string[]
  readonly #types: Written[] = []
  readonly #named = new Map<string, Written>()
  readonly #pointers = new Map<Written, Written>()
  #at = 0

  constructor(text: string) {
    this.#words = text.replace(/\/\/.*/g, '').match(/-?\w+|[^\s\w]/g) ?? []
  }

  all(): CText {
    while (this.#at < this.#words.length) {
      if (this.#words[this.#at] === 'enum') this.#enum()
      else this.#type()
      this.#take(';')
    }
    const builder = new BtfBuilder()
    for (const type of this.#types) type.write(builder)
    const btf = builder.blob()
    return { btf, types: readBtf(btf, 'vmlinux') }
  }

  #next(): string {
    return this.#words[this.#at++] ?? ''
  }

  #take(wanted: string): void {
    const word = this.#next()
    if (word !== wanted) throw new Error(`'${wanted}' wanted, found '${word}'`)
  }

  #skip(word: string): boolean {
    if (this.#words[this.#at] !== word) return false
    this.#at++
    return true
  }

  #add(write: (btf: BtfBuilder) => void, size = 0, align = 1): Written {
    const type = { id: this.#types.length + 1, size, align, write }
    this.#types.push(type)
    return type
  }

  #enum(): void {
    this.#take('enum')
    const name = this.#next()
    const values: Record<string, number> = {}
    let value = 0
    this.#take('{')
    while (!this.#skip('}')) {
      const key = this.#next()
      if (this.#skip('=')) value = Number(this.#next())
      values[key] = value++
      this.#skip(',')
    }
    this.#add((btf) => btf.enum(name, values), 4, 4)
  }

  #type(): Written {
    const [kind, name] = [this.#next(), this.#words[this.#at] ?? '']
    if (kind === 'struct' || kind === 'union') {
      if (name === '{') return this.#members(this.#struct(), kind, '')
      this.#at++
      let type = this.#named.get(name)
      if (type === undefined) {
        type = this.#struct()
        type.write = (btf) => btf.forward(name, kind === 'union')
        this.#named.set(name, type)
      }
      return this.#words[this.#at] === '{' ? this.#members(type, kind, name) : type
    }
    const base = kind === 'unsigned' ? `unsigned ${this.#next()}` : kind
    return this.#base(base)
  }

  #struct(): Written {
    return this.#add(() => undefined)
  }

  #base(name: string): Written {
    const known = this.#named.get(name)
    if (known !== undefined) return known
    if (name === 'void') return { id: 0, size: 0, align: 1, write: () => undefined }
    const [size, signed] = bases[name] ?? []
    if (size === undefined) throw new Error(`'${name}' is no type`)
    const type = this.#add((btf) => btf.int(name, size, { signed: signed ?? false }), size, size)
    this.#named.set(name, type)
    return type
  }

  #members(type: Written, kind: 'struct' | 'union', name: string): Written {
    const members: WrittenMember[] = []
    let end = 0
    let size = 0
    this.#take('{')
    while (!this.#skip('}')) {
      const first = this.#type()
      // A struct without a name may have no member name either.
      do {
        let own = first
        while (this.#skip('*')) own = this.#pointer(own)
        const member = this.#words[this.#at] === ';' ? '' : this.#next()
        own = this.#array(own)
        end = Math.ceil(end / own.align) * own.align
        members.push({ name: member, type: own.id, bits: end * 8 })
        type.align = Math.max(type.align, own.align)
        size = Math.max(size, end + own.size)
        if (kind === 'struct') end += own.size
      } while (this.#skip(','))
      this.#take(';')
    }
    type.size = Math.ceil(size / type.align) * type.align
    type.write = (btf) => btf.struct(name, type.size, members, { union: kind === 'union' })
    return type
  }

  #pointer(target: Written): Written {
    let type = this.#pointers.get(target)
    if (type === undefined) {
      type = this.#add((btf) => btf.pointer(target.id), 8, 8)
      this.#pointers.set(target, type)
    }
    return type
  }

  #array(element: Written): Written {
    if (!this.#skip('[')) return element
    const length = this.#skip(']') ? 0 : Number(this.#next())
    if (length > 0) this.#take(']')
    const inner = this.#array(element)
    return this.#add((btf) => btf.array(inner.id, length), inner.size * length, inner.align)
  }
}
