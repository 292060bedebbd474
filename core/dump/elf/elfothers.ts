// SPDX-License-Identifier: GPL-2.0-or-later
// ELF cores that are no dump of a host: of a process, of a Xen domain. Known so that they can be refused by name.

import { printable } from '../../bytes/printable.ts'
import { readStruct } from '../../bytes/struct.ts'
import { DumpError, UnsupportedError } from '../../errors.ts'
import { Elf64_Phdr, Elf64_Shdr, PT_LOAD, PT_NOTE, type ElfHeader } from './elfheaders.ts'
import { type FileBytes } from '../file.ts'
import { type Note } from '../format.ts'
import { parseNotes } from '../notes.ts'

// A process has up to 65,530 mappings (vm.max_map_count), a Xen core a dozen sections.
const MAX_HEADERS = 100_000
const MAX_SECTIONS = 64
const MAX_NAMES = 64 << 10
// A process's first notes tell its name; those of its threads and files follow.
const NOTES_READ = 64 << 10

/** struct elf_prpsinfo of x86-64 (linux/elfcore.h): where the pid and the name lie. */
const NT_PRPSINFO = 3
const PR_PID = 24
const PR_FNAME = 40
const PR_PSARGS = 56
const PRPSINFO_BYTES = 136
/** The name that /proc/kcore has in its own note of this kind (fs/proc/kcore.c). */
const KCORE = 'vmlinux'

/** Throws UnsupportedError when an ELF core is known to be of something else than a host's memory. */
export function refuseOthers(file: FileBytes, header: ElfHeader): void {
  if (isXen(file, header)) {
    throw new UnsupportedError(
      `${file.name} is a core of a Xen domain, which cannot be read here; crash opens it`,
      'Xen core',
    )
  }
  const info = processInfo(file, header)
  if (info === undefined) return
  const view = new DataView(info.buffer, info.byteOffset, info.length)
  const name = textAt(info, PR_FNAME, PR_PSARGS)
  const isVmm = /qemu|kvm/i.test(textAt(info, PR_FNAME, PRPSINFO_BYTES))
  const guest = isVmm
    ? "; its guest's memory may be in it (dump a guest by virsh dump --memory-only), but"
    : ':'
  throw new UnsupportedError(
    `${file.name} is the core of a process (${printable(name)}, pid ${view.getUint32(PR_PID, true)})${guest} ` +
      'no page table or kernel structure of the host is in it; a dump of the host is made by kdump',
    'core of a process',
  )
}

// Xen's cores (xc_core) have sections only, and no program headers.
function isXen(file: FileBytes, header: ElfHeader): boolean {
  const { e_shnum, e_shstrndx } = header
  if (e_shnum === 0 || e_shnum > MAX_SECTIONS || e_shstrndx >= e_shnum) return false
  try {
    const section = (index: number) => {
      const at = Number(header.e_shoff) + index * header.e_shentsize
      return readStruct(Elf64_Shdr, viewOf(file.read(at, Elf64_Shdr.size, 'Elf64_Shdr')), 0)
    }
    const { sh_offset, sh_size } = section(e_shstrndx)
    if (sh_size > MAX_NAMES) return false
    const names = file.read(Number(sh_offset), Number(sh_size), 'section names')
    const list = new TextDecoder('latin1').decode(names).split('\0')
    return list.includes('.note.Xen') || list.includes('.xen_prstatus')
  } catch (error) {
    if (error instanceof DumpError) return false
    throw error
  }
}

// The process's note, when the file is its core: no physical addresses, and no VMCOREINFO.
function processInfo(file: FileBytes, header: ElfHeader): Uint8Array | undefined {
  let info: Uint8Array | undefined
  try {
    for (let i = 0; i < Math.min(header.e_phnum, MAX_HEADERS); i++) {
      const at = Number(header.e_phoff) + i * header.e_phentsize
      const view = viewOf(file.read(at, Elf64_Phdr.size, 'Elf64_Phdr'))
      const { p_type, p_paddr, p_offset, p_filesz } = readStruct(Elf64_Phdr, view, 0)
      if (p_type === PT_LOAD && p_paddr !== 0n) return undefined
      if (p_type !== PT_NOTE) continue
      const length = Math.min(Number(p_filesz), NOTES_READ)
      const { notes } = parseNotes(file.read(Number(p_offset), length, 'PT_NOTE'))
      if (notes.some(({ name }) => name === 'VMCOREINFO')) return undefined
      info ??= notes.find(isProcess)?.desc
    }
  } catch (error) {
    // What is wrong with the headers is told by who reads them next.
    if (error instanceof DumpError) return undefined
    throw error
  }
  return info
}

function isProcess({ name, type, desc }: Note): boolean {
  if (name !== 'CORE' || type !== NT_PRPSINFO || desc.length < PRPSINFO_BYTES) return false
  return textAt(desc, PR_FNAME, PR_PSARGS) !== KCORE
}

function textAt(bytes: Uint8Array, from: number, to: number): string {
  return new TextDecoder().decode(bytes.subarray(from, to)).replace(/\0+/g, ' ').trim()
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
