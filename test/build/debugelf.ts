// SPDX-License-Identifier: GPL-2.0-or-later
// Writes ELF files with sections, as a kernel's vmlinux and its modules are: types, notes, symbols, texts.

import { writeStruct } from '../../core/bytes/struct.ts'
import {
  ELF_MAGIC,
  ELFCLASS64,
  ELFDATA2LSB,
  Elf64_Ehdr,
  Elf64_Shdr,
  EM_X86_64,
} from '../../core/dump/elf/elfheaders.ts'
import { writeNotes } from '../../core/dump/notes.ts'

const SHT_PROGBITS = 1
const SHT_SYMTAB = 2
const SHT_STRTAB = 3
const SHT_NOTE = 7
const SHT_NOBITS = 8

/** One section as a test describes it. */
export interface WrittenSection {
  readonly name: string
  readonly data: Uint8Array
  readonly type?: number
  readonly link?: number
  /** Only its size is told, as in files that have debug information alone. */
  readonly isEmpty?: boolean
}

/** What the file of a kernel or of a module holds. */
export interface DebugElf {
  readonly buildId?: string
  readonly btf?: Uint8Array
  readonly banner?: string
  readonly symbols?: readonly (readonly [string, bigint])[]
  /** Texts of `.modinfo`. */
  readonly modinfo?: readonly string[]
  /** The size of a module's room for its `struct module`. */
  readonly room?: number
  readonly sections?: readonly WrittenSection[]
  readonly machine?: number
}

/** The bytes of such a file. */
export function debugElf(described: DebugElf): Uint8Array {
  const { buildId, btf, banner, symbols, modinfo, room } = described
  const sections: WrittenSection[] = [{ name: '', data: new Uint8Array(), type: 0 }]
  const add = (name: string, data: Uint8Array, type = SHT_PROGBITS, more = {}): number =>
    sections.push({ name, data, type, ...more }) - 1
  if (buildId !== undefined) {
    const desc = Uint8Array.from(Buffer.from(buildId, 'hex'))
    add('.notes', writeNotes([{ name: 'GNU', type: 3, desc }]).bytes, SHT_NOTE)
  }
  if (btf !== undefined) add('.BTF', btf)
  if (banner !== undefined) add('.rodata', Buffer.from(`\0%s version\0${banner}\n\0`))
  if (modinfo !== undefined) add('.modinfo', Buffer.from(`${modinfo.join('\0')}\0`))
  if (room !== undefined) add('.gnu.linkonce.this_module', new Uint8Array(room))
  sections.push(...(described.sections ?? []))
  if (symbols !== undefined) {
    const names = Buffer.from(`\0${symbols.map(([name]) => `${name}\0`).join('')}`)
    const link = add('.strtab', names, SHT_STRTAB)
    add('.symtab', symbolTable(symbols), SHT_SYMTAB, { link })
  }
  return elfOf(sections, described.machine ?? EM_X86_64)
}

/** Elf64_Sym: name, info (global data), other, section, value, size. The first is empty. */
function symbolTable(symbols: readonly (readonly [string, bigint])[]): Uint8Array {
  const bytes = Buffer.alloc((symbols.length + 1) * 24)
  let nameAt = 1
  for (const [i, [name, address]] of symbols.entries()) {
    const at = (i + 1) * 24
    bytes.writeUInt32LE(nameAt, at)
    bytes.writeUInt8(0x11, at + 4)
    bytes.writeUInt16LE(1, at + 6)
    bytes.writeBigUInt64LE(address, at + 8)
    nameAt += name.length + 1
  }
  return bytes
}

function elfOf(sections: readonly WrittenSection[], machine: number): Uint8Array {
  const names = Buffer.from([...sections.map(({ name }) => name), '.shstrtab', ''].join('\0'))
  const all = [...sections, { name: '.shstrtab', data: names, type: SHT_STRTAB }]
  let end = Elf64_Ehdr.size
  const places = all.map(({ data }) => {
    const at = end
    end += data.length
    return at
  })
  const bytes = new Uint8Array(end + all.length * Elf64_Shdr.size)
  const view = new DataView(bytes.buffer)
  writeStruct(Elf64_Ehdr, view, 0, {
    magic: ELF_MAGIC,
    class: ELFCLASS64,
    data: ELFDATA2LSB,
    ident_version: 1,
    e_type: 2,
    e_machine: machine,
    e_shoff: BigInt(end),
    e_shentsize: Elf64_Shdr.size,
    e_shnum: all.length,
    e_shstrndx: all.length - 1,
  })
  let nameAt = 0
  for (const [i, section] of all.entries()) {
    const isEmpty = 'isEmpty' in section && section.isEmpty
    writeStruct(Elf64_Shdr, view, end + i * Elf64_Shdr.size, {
      sh_name: nameAt,
      sh_type: isEmpty ? SHT_NOBITS : (section.type ?? SHT_PROGBITS),
      sh_offset: BigInt(places[i] ?? 0),
      sh_size: BigInt(section.data.length),
      sh_link: ('link' in section ? section.link : undefined) ?? 0,
    })
    bytes.set(section.data, places[i])
    nameAt += section.name.length + 1
  }
  return bytes
}
