// SPDX-License-Identifier: GPL-2.0-or-later
// The headers of an ELF core file, as <elf.h> lays them out: ELF64, and ELF32 for what kdump and QEMU write with it.

import { struct, u8, u16, u32, u64, type Infer } from '../../bytes/struct.ts'

const ident = {
  magic: u32,
  class: u8,
  data: u8,
  ident_version: u8,
  osabi: u8,
  ident_rest: u64,
  e_type: u16,
  e_machine: u16,
  e_version: u32,
}
const sizes = {
  e_flags: u32,
  e_ehsize: u16,
  e_phentsize: u16,
  e_phnum: u16,
  e_shentsize: u16,
  e_shnum: u16,
  e_shstrndx: u16,
}

/** The ELF header, at offset 0. */
export const Elf64_Ehdr = struct('Elf64_Ehdr', {
  ...ident,
  e_entry: u64,
  e_phoff: u64,
  e_shoff: u64,
  ...sizes,
})
/** The ELF header of a 32-bit file. */
export const Elf32_Ehdr = struct('Elf32_Ehdr', {
  ...ident,
  e_entry: u32,
  e_phoff: u32,
  e_shoff: u32,
  ...sizes,
})

/** A program header: a range of memory, or notes. */
export const Elf64_Phdr = struct('Elf64_Phdr', {
  p_type: u32,
  p_flags: u32,
  p_offset: u64,
  p_vaddr: u64,
  p_paddr: u64,
  p_filesz: u64,
  p_memsz: u64,
  p_align: u64,
})

/** A program header of a 32-bit file: other widths, and the flags in another place. */
export const Elf32_Phdr = struct('Elf32_Phdr', {
  p_type: u32,
  p_offset: u32,
  p_vaddr: u32,
  p_paddr: u32,
  p_filesz: u32,
  p_memsz: u32,
  p_flags: u32,
  p_align: u32,
})

/** A section header; the first one tells the number of program headers when that does not fit in 16 bits. */
export const Elf64_Shdr = struct('Elf64_Shdr', {
  sh_name: u32,
  sh_type: u32,
  sh_flags: u64,
  sh_addr: u64,
  sh_offset: u64,
  sh_size: u64,
  sh_link: u32,
  sh_info: u32,
  sh_addralign: u64,
  sh_entsize: u64,
})

/** `\x7fELF` as a little-endian number. */
export const ELF_MAGIC = 0x464c457f
export const ELFCLASS32 = 1
export const ELFCLASS64 = 2
export const ELFDATA2LSB = 1
export const ET_CORE = 4
export const EM_386 = 3
export const EM_X86_64 = 62
export const PT_LOAD = 1
export const PT_NOTE = 4
/** `e_phnum` when the real number is in `sh_info` of the first section header. */
export const PN_XNUM = 0xffff
/** makedumpfile's bit in `e_flags`: the dump ends early (its DUMP_ELF_INCOMPLETE). */
export const DUMP_ELF_INCOMPLETE = 0x1

export type ElfHeader = Infer<typeof Elf64_Ehdr>
export type ProgramHeader = Infer<typeof Elf64_Phdr>
