// SPDX-License-Identifier: GPL-2.0-or-later
// Writes ELF core files, as makedumpfile, the kernel and QEMU do and worse, from a description.

import { writeStruct } from '../../core/bytes/struct.ts'
import {
  Elf64_Ehdr,
  Elf64_Phdr,
  Elf64_Shdr,
  ELF_MAGIC,
  ELFCLASS64,
  ELFDATA2LSB,
  EM_X86_64,
  ET_CORE,
  PN_XNUM,
  PT_LOAD,
  PT_NOTE,
  type ElfHeader,
  type ProgramHeader,
} from '../../core/dump/elfheaders.ts'
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
  /** Bytes left unused before the first segment's data, to take offsets away from page boundaries. */
  readonly skew?: number
}

/** The bytes of an ELF core file. */
export function buildElf(description: ElfDescription): Uint8Array {
  const { segments, notes = [], phoff = Elf64_Ehdr.size, xnum = false } = description
  const stride = description.phentsize ?? Elf64_Phdr.size
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
  writeStruct(Elf64_Ehdr, view, 0, {
    magic: ELF_MAGIC,
    class: ELFCLASS64,
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
  })
  if (xnum) writeStruct(Elf64_Shdr, view, shoff, { sh_info: count })
  for (const [i, part] of noteParts.entries()) {
    const size = BigInt(part.bytes.length)
    const header = { p_type: PT_NOTE, p_offset: BigInt(part.at), p_filesz: size, p_memsz: size }
    writeStruct(Elf64_Phdr, view, phoff + i * stride, header)
    bytes.set(part.bytes, part.at)
  }
  for (const [i, part] of dataParts.entries()) {
    const segment = segments[i]
    writeStruct(Elf64_Phdr, view, phoff + (blocks.length + i) * stride, {
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
