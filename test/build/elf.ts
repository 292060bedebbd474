// SPDX-License-Identifier: GPL-2.0-or-later
// Writes ELF core files, as makedumpfile, the kernel and QEMU do and worse, from a description.

import { writeStruct } from '../../core/bytes/struct.ts'
import {
  Elf32_Ehdr,
  Elf32_Phdr,
  Elf64_Ehdr,
  Elf64_Phdr,
  Elf64_Shdr,
  ELF_MAGIC,
  ELFCLASS32,
  ELFCLASS64,
  ELFDATA2LSB,
  EM_X86_64,
  ET_CORE,
  PN_XNUM,
  PT_LOAD,
  PT_NOTE,
  type ElfHeader,
  type ProgramHeader,
} from '../../core/dump/elf/elfheaders.ts'
import { type Note } from '../../core/dump/format.ts'
import { writeNotes } from '../../core/dump/notes.ts'

export interface ElfSegment {
  readonly paddr: number
  /** Bytes in the file; none when not given. */
  readonly data?: Uint8Array
  /** Bytes in memory; as many as in the file when not given. */
  readonly memsz?: number
  /** Members of the program header that shall have other values. */
  readonly header?: Partial<ProgramHeader>
}

export interface ElfDescription {
  readonly segments: readonly ElfSegment[]
  /** Blocks of notes: one PT_NOTE each. */
  readonly notes?: readonly (readonly Note[])[]
  /** Where the program headers lie; 64 when not given. */
  readonly phoff?: number
  /** The distance of two program headers; 56 when not given. */
  readonly phentsize?: number
  /** Tell the number of program headers in a section header. */
  readonly xnum?: boolean
  /** Members of the ELF header that shall have other values. */
  readonly header?: Partial<ElfHeader>
  /** Write ELF32, as kexec-tools and QEMU may for a 64-bit kernel. */
  readonly narrow?: boolean
  /** Bytes left unused before the first segment's data, to take offsets away from page boundaries. */
  readonly skew?: number
}

/** The bytes of an ELF core file. */
export function buildElf(description: ElfDescription): Uint8Array {
  const { segments, notes = [], xnum = false, narrow = false } = description
  const phoff = description.phoff ?? (narrow ? Elf32_Ehdr.sizeAt(0) : Elf64_Ehdr.size)
  const stride = description.phentsize ?? (narrow ? Elf32_Phdr : Elf64_Phdr).size
  const blocks = notes.map((block) => writeNotes(block).bytes)
  const count = blocks.length + segments.length
  const shoff = phoff + count * stride
  let end = shoff + (xnum ? Elf64_Shdr.size : 0) + (description.skew ?? 0)
  const place = (bytes: Uint8Array) => {
    const at = end
    end += bytes.length
    return { at, bytes }
  }
  const noteParts = blocks.map(place)
  const dataParts = segments.map((segment) => place(segment.data ?? new Uint8Array()))

  const bytes = new Uint8Array(end)
  const view = new DataView(bytes.buffer)
  const header = {
    magic: ELF_MAGIC,
    class: narrow ? ELFCLASS32 : ELFCLASS64,
    data: ELFDATA2LSB,
    ident_version: 1,
    e_type: ET_CORE,
    e_machine: EM_X86_64,
    e_version: 1,
    e_phoff: BigInt(phoff),
    e_ehsize: Elf64_Ehdr.size,
    e_phentsize: stride,
    e_phnum: xnum ? PN_XNUM : count,
    ...(xnum ? { e_shoff: BigInt(shoff), e_shentsize: Elf64_Shdr.size, e_shnum: 1 } : {}),
    ...description.header,
  }
  if (narrow) {
    const { e_entry = 0n, e_phoff = 0n, e_shoff = 0n } = description.header ?? {}
    const offsets = { e_entry: Number(e_entry), e_phoff: Number(e_phoff), e_shoff: Number(e_shoff) }
    writeStruct(Elf32_Ehdr, view, 0, { ...header, ...offsets, e_phoff: phoff })
  } else {
    writeStruct(Elf64_Ehdr, view, 0, header)
  }
  const putHeader = (index: number, values: Partial<ProgramHeader>) => {
    const at = phoff + index * stride
    if (!narrow) {
      writeStruct(Elf64_Phdr, view, at, values)
      return
    }
    const small: Partial<Record<keyof ProgramHeader, number>> = {}
    for (const name of Object.keys(Elf32_Phdr.fields) as (keyof ProgramHeader)[]) {
      const value = values[name]
      if (value !== undefined) small[name] = Number(value)
    }
    writeStruct(Elf32_Phdr, view, at, small)
  }
  if (xnum) writeStruct(Elf64_Shdr, view, shoff, { sh_info: count })
  for (const [i, part] of noteParts.entries()) {
    const size = BigInt(part.bytes.length)
    const header = { p_type: PT_NOTE, p_offset: BigInt(part.at), p_filesz: size, p_memsz: size }
    putHeader(i, header)
    bytes.set(part.bytes, part.at)
  }
  for (const [i, part] of dataParts.entries()) {
    const segment = segments[i]
    putHeader(blocks.length + i, {
      p_type: PT_LOAD,
      p_offset: BigInt(part.at),
      p_paddr: BigInt(segment?.paddr ?? 0),
      p_filesz: BigInt(part.bytes.length),
      p_memsz: BigInt(segment?.memsz ?? part.bytes.length),
      ...segment?.header,
    })
    bytes.set(part.bytes, part.at)
  }
  return bytes
}
