// SPDX-License-Identifier: GPL-2.0-or-later
// An ELF file that describes a kernel or a module: its sections, its build id, its symbols. Source: <elf.h>.

import { readStruct, struct, u16, u32, u64, u8 } from '../bytes/struct.ts'
import {
  ELF_MAGIC,
  ELFCLASS64,
  ELFDATA2LSB,
  Elf64_Ehdr,
  Elf64_Shdr,
  EM_X86_64,
} from '../dump/elf/elfheaders.ts'
import { type FileBytes } from '../dump/file.ts'
import { parseNotes } from '../dump/notes.ts'
import { FormatError, UnsupportedError } from '../errors.ts'
import { SymbolTable } from './symboltable.ts'

/** One section. */
export interface ElfSection {
  readonly name: string
  readonly type: number
  readonly flags: bigint
  /** Where it lies in memory; 0 for one that is only in the file, and for all of a module's. */
  readonly address: bigint
  readonly offset: number
  readonly size: number
  /** The index of another section: of a symbol table that of its names. */
  readonly link: number
}

const SHT_NOTE = 7
const SHT_NOBITS = 8
const SHT_SYMTAB = 2
const SHN_XINDEX = 0xffff
const SHF_COMPRESSED = 0x800n
const NT_GNU_BUILD_ID = 3
const STT_SECTION = 3
const STT_FILE = 4
/** Kernels built with a section for each function have some ten thousand sections; symbols and names, see below. */
const MAX_SECTIONS = 1 << 20
const MAX_NAMES_BYTES = 512 << 20
const MAX_SYMBOLS = 8 << 20
const MAX_NOTES_BYTES = 1 << 20
const MAX_RODATA_BYTES = 128 << 20

const Elf64_Sym = struct('Elf64_Sym', {
  st_name: u32,
  st_info: u8,
  st_other: u8,
  st_shndx: u16,
  st_value: u64,
  st_size: u64,
})

/** A `vmlinux`, a module, or a file with their debug information alone, whose other sections are empty. */
export class ElfFile {
  readonly file: FileBytes
  readonly sections: readonly ElfSection[]

  /** Reads the headers. Throws FormatError when they cannot be, UnsupportedError for another machine's file. */
  constructor(file: FileBytes) {
    this.file = file
    const header = file.read(0, Elf64_Ehdr.size, 'the ELF header')
    const ehdr = readStruct(Elf64_Ehdr, viewOf(header), 0)
    if (ehdr.magic !== ELF_MAGIC) throw new FormatError(`${file.name}: no ELF file`, 'e_ident', 0)
    const isOurs =
      ehdr.class === ELFCLASS64 && ehdr.data === ELFDATA2LSB && ehdr.e_machine === EM_X86_64
    if (!isOurs) {
      throw new UnsupportedError(
        `${file.name} is an ELF file of machine ${ehdr.e_machine}, class ${ehdr.class}; only x86-64 is supported`,
        'other machines',
      )
    }
    this.sections = ehdr.e_shoff === 0n ? [] : readSections(file, ehdr)
  }

  /** A section that has bytes in this file. Files with debug information alone keep the others as empty shells. */
  section(name: string): ElfSection | undefined {
    return this.sections.find((one) => one.name === name && one.type !== SHT_NOBITS && one.size > 0)
  }

  /** The bytes of a section. Throws FormatError when there are more than `limit`, or the file ends before. */
  bytes(section: ElfSection, limit: number): Uint8Array {
    const { name, size, offset } = section
    const where = `section ${name}`
    if ((section.flags & SHF_COMPRESSED) !== 0n) {
      throw new UnsupportedError(`${this.file.name}: ${where} is compressed`, 'compressed sections')
    }
    if (size > limit) {
      throw new FormatError(`${this.file.name}: ${where} of ${size} bytes`, 'sh_size', offset)
    }
    return this.file.read(offset, size, where)
  }

  /** The build id in hex, from the note of type NT_GNU_BUILD_ID. */
  get buildId(): string | undefined {
    for (const section of this.sections) {
      if (section.type !== SHT_NOTE || section.size > MAX_NOTES_BYTES) continue
      const id = buildIdOf(this.bytes(section, MAX_NOTES_BYTES))
      if (id !== undefined) return id
    }
    return undefined
  }

  /** Whether it describes types as DWARF does. */
  get hasDwarf(): boolean {
    return this.section('.debug_info') !== undefined || this.section('.zdebug_info') !== undefined
  }

  /** The text that the kernel prints first, `Linux version …`; undefined where the file does not hold it. */
  get banner(): string | undefined {
    const section = this.section('.rodata')
    if (section === undefined || section.size > MAX_RODATA_BYTES) return undefined
    const bytes = Buffer.from(this.bytes(section, MAX_RODATA_BYTES))
    for (let at = bytes.indexOf('Linux version '); at >= 0;) {
      const text = bytes.toString('latin1', at, at + 512).replace(/[\0\n][^]*$/, '')
      // The banner of /proc is a format with the same beginning.
      if (/^Linux version \d/.test(text)) return text
      at = bytes.indexOf('Linux version ', at + 1)
    }
    return undefined
  }

  /** The symbols at the addresses that the linker gave them; undefined when they were stripped. */
  symbols(): SymbolTable | undefined {
    const section = this.sections.find(({ type, size }) => type === SHT_SYMTAB && size > 0)
    const strings = section && this.sections[section.link]
    if (section === undefined || strings === undefined) return undefined
    const table = viewOf(this.bytes(section, MAX_SYMBOLS * Elf64_Sym.size))
    const names = Buffer.from(this.bytes(strings, MAX_NAMES_BYTES))
    const { st_name, st_info, st_shndx, st_value } = Elf64_Sym.offsets
    const found: [string, bigint][] = []
    for (let at = 0; at + Elf64_Sym.size <= table.byteLength; at += Elf64_Sym.size) {
      const kind = table.getUint8(at + st_info) & 0xf
      if (kind === STT_SECTION || kind === STT_FILE || table.getUint16(at + st_shndx, true) === 0) {
        continue
      }
      const from = table.getUint32(at + st_name, true)
      const end = names.indexOf(0, from)
      if (from === 0 || end <= from || end - from > 512) continue
      found.push([names.toString('latin1', from, end), table.getBigUint64(at + st_value, true)])
    }
    return new SymbolTable(found)
  }
}

/** The build id in a block of notes, in hex. */
export function buildIdOf(notes: Uint8Array): string | undefined {
  const note = parseNotes(notes).notes.find(
    ({ name, type, desc }) => name === 'GNU' && type === NT_GNU_BUILD_ID && desc.length > 0,
  )
  return note && Buffer.from(note.desc).toString('hex')
}

function readSections(
  file: FileBytes,
  ehdr: { e_shoff: bigint; e_shnum: number; e_shentsize: number; e_shstrndx: number },
): ElfSection[] {
  const at = Number(ehdr.e_shoff)
  if (ehdr.e_shentsize !== Elf64_Shdr.size) {
    const what = `${file.name}: section headers of ${ehdr.e_shentsize} bytes`
    throw new FormatError(what, 'e_shentsize', 58)
  }
  // What does not fit in 16 bits is in the first section header.
  const first = readStruct(
    Elf64_Shdr,
    viewOf(file.read(at, Elf64_Shdr.size, 'the first section header')),
    0,
  )
  const count = ehdr.e_shnum === 0 ? Number(first.sh_size) : ehdr.e_shnum
  const namesAt = ehdr.e_shstrndx === SHN_XINDEX ? first.sh_link : ehdr.e_shstrndx
  if (count > MAX_SECTIONS) {
    throw new FormatError(`${file.name}: ${count} sections`, 'e_shnum', 60)
  }
  const bytes = file.read(at, count * Elf64_Shdr.size, `${count} section headers`)
  const headers = Array.from({ length: count }, (_, i) =>
    readStruct(Elf64_Shdr, viewOf(bytes), i * Elf64_Shdr.size),
  )
  const strings = headers[namesAt]
  const names =
    strings === undefined || strings.sh_size > MAX_NOTES_BYTES * 16
      ? Buffer.alloc(0)
      : Buffer.from(
          file.read(Number(strings.sh_offset), Number(strings.sh_size), 'the names of sections'),
        )
  return headers.map((header) => {
    const end = names.indexOf(0, header.sh_name)
    return {
      name: header.sh_name < end ? names.toString('latin1', header.sh_name, end) : '',
      type: header.sh_type,
      flags: header.sh_flags,
      address: header.sh_addr,
      offset: Number(header.sh_offset),
      size: Number(header.sh_size),
      link: header.sh_link,
    }
  })
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
