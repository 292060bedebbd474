// SPDX-License-Identifier: GPL-2.0-or-later
// Inferred members as types, for everything that asks for layouts.

import { memberAtPath } from '../types/path.ts'
import { sizeOfType, type Member, type StructType, type Type, type Types } from '../types/type.ts'
import { MissingError } from '../errors.ts'
import { type Finding, type Findings } from './findings.ts'

/** The structs whose members inference found. Names that it did not look for are known as structs without members. */
export class InferredTypes implements Types {
  readonly name: string
  /** Everything that was looked for, found or refused, with the evidence. */
  readonly findings: readonly Finding[]
  readonly #release: string
  readonly #structs = new Map<string, InferredStruct>()
  readonly #enums: ReadonlyMap<string, ReadonlyMap<string, number>>
  readonly #why: string

  /** `why` says why the dump's own types could not be used. */
  constructor(
    findings: Findings,
    enums: ReadonlyMap<string, ReadonlyMap<string, number>>,
    release: string,
    why: string,
  ) {
    this.name = `kernel ${release}, as far as they were inferred from the dump`
    this.findings = findings.all
    this.#release = release
    this.#enums = enums
    this.#why = why
    for (const { member, offset, type } of findings.all) {
      if (offset === undefined) continue
      const [struct = '', ...path] = member.split('.')
      this.#structOf(struct, findings.sizes.get(struct)).add(path.join('.'), offset, type)
    }
  }

  /** What results should say: that layouts are inferred, and how well. */
  get remarks(): readonly string[] {
    const refused = this.findings.filter(({ offset }) => offset === undefined)
    const found = this.findings.length - refused.length
    const against = this.findings.filter((finding) => finding.against > 0).length
    const open = refused.map(({ member }) => member).join(', ')
    return [
      `the layout of the kernel's structures was inferred from the dump itself, since ${this.#why}: ` +
        `${found} of ${this.findings.length} members found` +
        (against === 0 ? '' : `, ${against} of them with contradictions`) +
        (open === '' ? '' : `; not found: ${open}`),
    ]
  }

  whyMissing(member: string): string {
    const reason = this.#reasonFor(member) ?? 'inference does not look for it'
    return (
      `the layouts that were inferred from the dump (${reason}). The dump has no types of its own (${this.#why}); ` +
      `those of this kernel are in vmlinux-${this.#release} of its debug package`
    )
  }

  /** Why a member was refused, or the one that it lies in, or else another of its struct. */
  #reasonFor(member: string): string | undefined {
    const refused = this.findings.filter(({ offset }) => offset === undefined)
    const struct = `${member.split('.')[0] ?? ''}.`
    const finding =
      refused.find((one) => one.member === member || member.startsWith(`${one.member}.`)) ??
      refused.find((one) => one.member.startsWith(struct))
    return finding?.evidence
  }

  struct(name: string): StructType | undefined {
    return this.#structs.get(name)
  }

  structs(name: string): readonly StructType[] {
    return [this.#structs.get(name) ?? new InferredStruct(name, undefined, this)]
  }

  type(name: string): Type | undefined {
    return this.#structs.get(name)
  }

  has(name: string): boolean {
    return this.#structs.has(name) || this.#enums.has(name)
  }

  sizeOf(name: string): number | undefined {
    return this.#structs.get(name)?.knownSize
  }

  enumerators(name: string): ReadonlyMap<string, number> | undefined {
    return this.#enums.get(name)
  }

  enumerator(name: string): number | undefined {
    for (const values of this.#enums.values()) {
      const value = values.get(name)
      if (value !== undefined) return value
    }
    return undefined
  }

  enumeratorsLike(pattern: RegExp): ReadonlyMap<string, number> {
    const all = [...this.#enums.values()].flatMap((values) => [...values])
    return new Map(all.filter(([name]) => name.search(pattern) >= 0))
  }

  near(): string[] {
    return []
  }

  /** The struct of a name, made when it is first named. */
  #structOf(name: string, size?: number): InferredStruct {
    let struct = this.#structs.get(name)
    if (struct === undefined) {
      struct = new InferredStruct(name, size, this)
      this.#structs.set(name, struct)
    }
    return struct
  }
}

/** A struct of which some members are known, and perhaps the size. */
class InferredStruct implements StructType {
  readonly kind = 'struct'
  readonly name: string
  readonly knownSize: number | undefined
  readonly #types: InferredTypes
  readonly #wanted = new Map<string, { offset: number; type: string }>()
  #members: readonly Member[] | undefined

  constructor(name: string, size: number | undefined, types: InferredTypes) {
    this.name = name
    this.knownSize = size
    this.#types = types
  }

  /** Throws MissingError when only members are known. */
  get size(): number {
    if (this.knownSize !== undefined) return this.knownSize
    throw new MissingError('size', this.name, this.#types.whyMissing(this.name))
  }

  get members(): readonly Member[] {
    this.#members ??= [...this.#wanted]
      .map(([name, { offset, type: text }]) => {
        const type = typeNamed(text, this.#types)
        // Of an embedded struct perhaps only its place is known.
        const size = type instanceof InferredStruct ? type.knownSize : sizeOfType(type)
        return { name, offset, size: size ?? 0, type }
      })
      .sort((a, b) => a.offset - b.offset)
    return this.#members
  }

  add(name: string, offset: number, type: string): void {
    this.#wanted.set(name, { offset, type })
  }

  field(name: string): Member | undefined {
    return this.members.find((member) => member.name === name)
  }

  member(path: string): Member | undefined {
    return this.members.find((member) => member.name === path) ?? memberAtPath(this, path)
  }

  memberNames(): readonly string[] {
    return this.members.map(({ name }) => name)
  }
}

/**
 * A type from its words: `ptr`, `struct NAME *`, `u8` … `u64`, `s8` … `s64`, `char`, `struct NAME`, with `[n]` behind for
 * an array.
 */
function typeNamed(text: string, types: Types): Type {
  const [, base = '', length] = /^([^[]*)(?:\[(\d+)\])?$/.exec(text) ?? []
  const element = elementNamed(base, types)
  return length === undefined ? element : { kind: 'array', element, length: Number(length) }
}

function elementNamed(text: string, types: Types): Type {
  if (text === 'ptr') return { kind: 'pointer', target: { kind: 'void' } }
  if (text === 'char') return { kind: 'int', name: 'char', size: 1, signed: true, bool: false }
  const [, sign, bits] = /^([us])(8|16|32|64)$/.exec(text) ?? []
  if (bits !== undefined) {
    return { kind: 'int', name: text, size: Number(bits) / 8, signed: sign === 's', bool: false }
  }
  const [, name = '', star] = /^struct (\w+)( \*)?$/.exec(text) ?? []
  const target = (): Type => types.structs(name)[0] ?? { kind: 'void' }
  if (star === undefined) return target()
  return {
    kind: 'pointer',
    // Looked up when it is followed: structs point at each other in circles.
    get target() {
      return target()
    },
  }
}
