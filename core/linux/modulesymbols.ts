// SPDX-License-Identifier: GPL-2.0-or-later
// The symbols of one loaded module: the ELF symbol table that the kernel keeps for it.

import { CorruptError } from '../errors.ts'
import { type Space } from '../space/space.ts'
import { layout, pointer, uint } from '../types/layout.ts'
import { type Types } from '../types/type.ts'

/** Elf64_Sym (elf.h): name at 0, section index at 6, value at 8. */
const SYM_BYTES = 24
/** The largest modules have some ten thousand symbols. */
const MAX_SYMBOLS = 1 << 20
/** KSYM_NAME_LEN of include/linux/kallsyms.h. */
const MAX_NAME = 512
const MAX_STRING_BYTES = 64 << 20

/** The symbol at or below an address of a module. */
export interface ModuleSymbol {
  readonly name: string
  readonly address: bigint
}

/** The symbols of one module. The table is read once; names are read when they are compared. */
export class ModuleSymbols {
  readonly #table: DataView
  readonly #strings: Buffer
  readonly #known = new Map<string, readonly bigint[]>()

  /** `module` is the address of its `struct module`. Throws CorruptError when the count cannot be. */
  constructor(space: Space, types: Types, module: bigint) {
    const fields = symbolTable(space, types, module)
    if (fields.count > MAX_SYMBOLS) {
      throw new CorruptError('module.num_symtab', module, `is ${fields.count}`)
    }
    this.#table = new DataView(space.bytes(fields.symtab, fields.count * SYM_BYTES).buffer)
    this.#strings = readStrings(space, fields.strtab, this.#table, module)
  }

  /** The addresses of names; every asked name is a key. Several static functions of a module can share a name. */
  find(names: readonly string[]): Map<string, readonly bigint[]> {
    const wanted = new Map<string, bigint[]>()
    for (const name of names) if (!this.#known.has(name)) wanted.set(name, [])
    if (wanted.size > 0) {
      for (const { name, address } of this.all()) wanted.get(name)?.push(address)
      for (const [name, found] of wanted) this.#known.set(name, found)
    }
    return new Map(names.map((name) => [name, this.#known.get(name) ?? []]))
  }

  /** Every symbol that has a name and a place, in the table's order. */
  *all(): Generator<ModuleSymbol> {
    // The first symbol of an ELF table is empty.
    for (let at = SYM_BYTES; at + SYM_BYTES <= this.#table.byteLength; at += SYM_BYTES) {
      const isUndefined = this.#table.getUint16(at + 6, true) === 0
      if (isUndefined) continue
      const nameAt = this.#table.getUint32(at, true)
      const name = this.#strings.toString('latin1', nameAt, this.#strings.indexOf(0, nameAt))
      if (name !== '') yield { name, address: this.#table.getBigUint64(at + 8, true) }
    }
  }
}

/** The names, up to the end of the last one: the table's own size is not kept. */
function readStrings(space: Space, strtab: bigint, table: DataView, module: bigint): Buffer {
  let last = 0
  for (let at = 0; at + SYM_BYTES <= table.byteLength; at += SYM_BYTES) {
    last = Math.max(last, table.getUint32(at, true))
  }
  if (last > MAX_STRING_BYTES) {
    throw new CorruptError('module.strtab', module, `a symbol's name lies ${last} bytes into it`)
  }
  const end = Buffer.from(`${space.text(strtab + BigInt(last), MAX_NAME)}\0`)
  return Buffer.concat([space.bytes(strtab, last), end])
}

/** Where a module keeps its symbols, newest first; told by presence. */
function symbolTable(
  space: Space,
  types: Types,
  module: bigint,
): { symtab: bigint; count: number; strtab: bigint } {
  // Since 4.5 (commit 8244062ef1e5) in a struct of its own, which is core_kallsyms in the module once it is loaded.
  if (types.struct('module')?.member('kallsyms') !== undefined) {
    const { kallsyms } = layout(types, 'module', { kallsyms: pointer('kallsyms') }).at(
      space,
      module,
    )
    const fields = layout(types, 'mod_kallsyms', {
      symtab: pointer('symtab'),
      count: uint('num_symtab'),
      strtab: pointer('strtab'),
    })
    return fields.at(space, kallsyms)
  }
  const fields = layout(types, 'module', {
    symtab: pointer('symtab'),
    count: uint('num_symtab'),
    strtab: pointer('strtab'),
  })
  return fields.at(space, module)
}
