// SPDX-License-Identifier: GPL-2.0-or-later
// What other readers read of each module: its struct, variables, symbols, and what sysfs says of its sections and notes.

import {
  address,
  arrayLength,
  int,
  layout,
  optional,
  pointer,
  uint,
  type Layout,
} from '../../types/layout.ts'
import { type Type } from '../../types/type.ts'
import { type Touch } from '../touch.ts'

/** MOD_DATA of enum mod_mem_type (include/linux/module.h): where `struct module` and its symbol table lie. */
const MOD_DATA = 1
/** The largest modules have some hundred sections. */
const MAX_ATTRIBUTES = 4096
/** The largest modules export some thousand symbols. */
const MAX_EXPORTS = 1 << 16
/** Notes of a module are a build id and little else. */
const MAX_NOTE_BYTES = 65536

/**
 * Reads every module as far as crash and drgn want it. Not its code and constants, which are large and which they have
 * from their debug files; before 6.4 code and variables are one area, so crash warns there that it has no symbols.
 */
export function readModules(touch: Touch): void {
  const { modules, types, space } = touch.host
  const fields = layout(types, 'module', {
    version: optional(pointer('version')),
    symbols: optional(pointer('syms')),
    symbolCount: optional(uint('num_syms')),
    // Until 6.19; then one table holds both.
    gplSymbols: optional(pointer('gpl_syms')),
    gplCount: optional(uint('num_gpl_syms')),
    notes: optional(pointer('notes_attrs')),
    sections: optional(pointer('sect_attrs')),
  })
  const readData = dataReader(touch)
  for (const { name, address: at } of modules.list()) {
    touch.range(at, fields.size)
    touch.part(() => modules.symbolsOf(name))
    touch.part(() => {
      readData(at)
      const module = fields.at(space, at)
      readExports(touch, module.symbols, module.symbolCount)
      readExports(touch, module.gplSymbols, module.gplCount)
    })
    touch.part(() => {
      const { sections, notes } = fields.at(space, at)
      readAttributes(touch, 'module_sect_attrs', sections)
      readAttributes(touch, 'module_notes_attrs', notes)
    })
  }
}

/** A table of exported symbols and their names, which it holds as distances from itself (since 4.19). */
function readExports(touch: Touch, table = 0n, count = 0): void {
  const { types, space } = touch.host
  const fields = layout(types, 'kernel_symbol', { name: optional(int('name_offset')) })
  if (table === 0n || count > MAX_EXPORTS) return
  touch.range(table, count * fields.size)
  if (!fields.has('name')) return
  for (let i = 0; i < count; i++) {
    const symbol = fields.at(space, table + BigInt(i * fields.size))
    touch.text(symbol.address + BigInt(fields.offset('name') + (symbol.name ?? 0)))
  }
}

/** The module's variables, since 6.4 (commit ac3b43283923) an area of their own. */
function dataReader(touch: Touch): (module: bigint) => void {
  const { types, space } = touch.host
  if ((arrayLength(types, 'module', 'mem') ?? 0) <= MOD_DATA) return () => undefined
  const fields = layout(types, 'module', { data: address(`mem[${MOD_DATA}]`) })
  const region = layout(types, 'module_memory', { base: pointer('base'), size: uint('size') })
  return (module) => {
    const { base, size } = region.at(space, fields.at(space, module).data)
    touch.range(base, size)
  }
}

/** /sys/module/NAME/sections and notes: drgn finds a module's sections and its build id there. */
function readAttributes(touch: Touch, name: string, at: bigint | undefined): void {
  if (at === undefined || at === 0n) return
  const { types, space } = touch.host
  const fields = layout(types, name, {
    // Since 6.14 the number is not kept: the group's list of pointers ends with NULL.
    count: optional(uint('nsections', 'notes')),
    pointers: optional(pointer('grp.bin_attrs', 'grp.attrs')),
    attributes: address('attrs'),
  })
  const record = fields.at(space, at)
  let count = Math.min(record.count ?? 0, MAX_ATTRIBUTES)
  if (record.count === undefined && record.pointers !== undefined) {
    while (count < MAX_ATTRIBUTES && space.u64(record.pointers + BigInt(8 * count)) !== 0n) count++
  }
  // A bin_attribute, or a struct that begins with one.
  const size = elementSize(types.struct(name)?.member('attrs')?.type)
  touch.range(at, fields.offset('attributes') + count * size)
  const attribute: Layout<typeof attributeFields> = layout(types, 'bin_attribute', attributeFields)
  for (let i = 0; i < count; i++) {
    const entry = attribute.at(space, record.attributes + BigInt(i * size))
    touch.text(entry.name)
    if (name === 'module_notes_attrs')
      touch.range(entry.content, Math.min(entry.size, MAX_NOTE_BYTES))
  }
}

const attributeFields = {
  name: pointer('attr.name'),
  size: uint('size'),
  content: pointer('private'),
}

function elementSize(type: Type | undefined): number {
  if (type?.kind !== 'array') return 0
  return type.element.kind === 'struct' ? type.element.size : 0
}
