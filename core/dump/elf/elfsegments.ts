// SPDX-License-Identifier: GPL-2.0-or-later
// An ELF core's header and program headers, checked, as ranges of physical memory.

import { readStruct } from '../../bytes/struct.ts'
import { FormatError, UnsupportedError } from '../../errors.ts'
import {
  Elf32_Ehdr,
  Elf32_Phdr,
  Elf64_Ehdr,
  Elf64_Phdr,
  Elf64_Shdr,
  ELFCLASS32,
  ELFDATA2LSB,
  EM_386,
  EM_X86_64,
  ET_CORE,
  PN_XNUM,
  PT_LOAD,
  PT_NOTE,
  type ElfHeader,
} from './elfheaders.ts'
import { type FileBytes } from '../file.ts'
import { Ranges, type Range } from '../ranges.ts'

// More segments than any dump has: makedumpfile -E makes one for each run of kept pages.
const MAX_SEGMENTS = 1 << 24
/** The end of physical addresses on x86-64. */
const MAX_ADDRESS = 2 ** 52
/** What /proc/kcore puts into p_paddr of ranges that are no RAM: all ones, as it reads as a number. */
const NO_ADDRESS = 2 ** 64

// e_machine of dumps that people have, from <elf.h>.
const machines: ReadonlyMap<number, string> = new Map([
  [20, 'ppc'],
  [21, 'ppc64'],
  [22, 's390'],
  [40, 'arm'],
  [183, 'aarch64'],
  [243, 'riscv'],
  [258, 'loongarch'],
])
const types: ReadonlyMap<number, string> = new Map([
  [1, 'an object file'],
  [2, 'a program or a vmlinux'],
  [3, 'a shared library or a program'],
])

/** What the program headers say. */
export interface Segments {
  /** Memory whose bytes are in the file. */
  readonly data: Ranges
  /** Memory whose bytes should be in the file, behind its end. */
  readonly cutOff: Ranges
  /** All memory of the segments, with bytes in the file or not. */
  readonly memory: Ranges
  /** Offsets of note blocks in the file. */
  readonly notes: readonly Range[]
  /** Program headers that are all zeros: their writer did not get that far. */
  readonly unwritten: number
  /** Ranges without a physical address are there, which only /proc/kcore has: a running system's memory. */
  readonly live: boolean
}

/**
 * Reads the ELF header. Throws UnsupportedError for other machines, FormatError for ELF files that are no dumps.
 * kexec-tools (--elf32-core-headers) writes ELF32 for a 64-bit kernel too, and QEMU says i386, in ELF64 or ELF32, when the
 * first processor is in no 64-bit mode: only VMCOREINFO tells then.
 */
export function readElfHeader(file: FileBytes): ElfHeader {
  const header = headerOf(file)
  const refuse = (what: string) =>
    new UnsupportedError(`${file.name}: ${what} is not supported; 64-bit x86_64 is`, what)
  if (header.data !== ELFDATA2LSB) throw refuse('a big-endian ELF file')
  if (header.e_type !== ET_CORE) {
    const type = types.get(header.e_type) ?? 'something else'
    throw new FormatError(
      `${file.name} is an ELF file, but ${type} (e_type ${header.e_type}), no core dump (e_type ${ET_CORE})`,
      'Elf64_Ehdr.e_type',
      Elf64_Ehdr.offsets.e_type,
    )
  }
  if (header.e_machine !== EM_X86_64 && header.e_machine !== EM_386) {
    const machine = machines.get(header.e_machine) ?? `number ${header.e_machine}`
    throw refuse(`an ELF dump of machine ${machine}`)
  }
  return header
}

// Numbers of ELF32 are widened: from here on both are alike.
function headerOf(file: FileBytes): ElfHeader {
  const small = Elf32_Ehdr.sizeAt(0)
  const view = viewOf(
    file.read(0, Math.min(Elf64_Ehdr.size, Math.max(small, file.size)), 'Elf64_Ehdr'),
  )
  if (view.getUint8(Elf64_Ehdr.offsets.class) !== ELFCLASS32) return readStruct(Elf64_Ehdr, view, 0)
  const header = readStruct(Elf32_Ehdr, view, 0)
  const { e_entry, e_phoff, e_shoff } = header
  return { ...header, e_entry: BigInt(e_entry), e_phoff: BigInt(e_phoff), e_shoff: BigInt(e_shoff) }
}

/** Reads the program headers, wherever they lie. What cannot be used is remarked; the rest is. */
export function readSegments(file: FileBytes, header: ElfHeader, remarks: string[]): Segments {
  const { count, at, stride } = locate(file, header)
  const data: Range[] = []
  const cutOff: Range[] = []
  const memory: Range[] = []
  const notes: Range[] = []
  let loads = 0
  let unusable = 0
  let atZero = 0
  let live = false
  let unwritten = 0
  const narrow = header.class === ELFCLASS32
  const { name, size, offsets } = narrow ? Elf32_Phdr : Elf64_Phdr
  const numberAt = narrow ? u32At : u64At
  for (let i = 0; i < count; i++) {
    const view = viewOf(file.read(at + i * stride, size, name))
    const type = view.getUint32(offsets.p_type, true)
    const offset = numberAt(view, offsets.p_offset)
    const filesz = numberAt(view, offsets.p_filesz)
    if (type === PT_NOTE && filesz > 0) notes.push({ start: offset, end: offset + filesz, offset })
    if (type === 0 && isEmpty(view)) unwritten++
    if (type !== PT_LOAD) continue
    loads++
    const start = numberAt(view, offsets.p_paddr)
    const memsz = numberAt(view, offsets.p_memsz)
    if (start === NO_ADDRESS) live = true
    if (memsz === 0 || start === NO_ADDRESS) continue
    if (start === 0) atZero++
    if (start + memsz > MAX_ADDRESS) {
      unusable++
      continue
    }
    // With 5 levels /proc/kcore puts the kernel's text behind 2^53. The direct map has it too.
    if (live && !Number.isSafeInteger(offset + filesz)) continue
    memory.push({ start, end: start + memsz, offset: 0 })
    const length = Math.min(filesz, memsz)
    const here = Math.max(0, Math.min(length, file.size - offset))
    if (here > 0) data.push({ start, end: start + here, offset })
    if (here < length) {
      cutOff.push({ start: start + here, end: start + length, offset: offset + here })
    }
  }
  if (loads === 0) {
    const why =
      unwritten > 0
        ? `, and ${unwritten} are zeros: makedumpfile -F writes them last; is the file cut off?`
        : ''
    throw new FormatError(
      `${file.name}: none of its ${count} program headers (at ${at}) tells of memory${why}`,
      'Elf64_Phdr.p_type',
      at,
    )
  }
  if (unwritten > 0) remarks.push(`${unwritten} of ${count} program headers were never written`)
  if (loads > 1 && atZero === loads) {
    const what = 'an ELF file without physical addresses (/proc/kcore before Linux 4.11)'
    throw new UnsupportedError(`${file.name}: ${what} is not supported`, what)
  }
  if (unusable > 0)
    remarks.push(`${unusable} segments lie above physical address 2^52 and are not seen`)
  if (cutOff.length > 0) {
    remarks.push(
      `the file is cut off: it ends at ${file.size}, before the data of its last segments`,
    )
  }
  if (!narrow && at !== Elf64_Ehdr.size) {
    remarks.push(
      `program headers at ${at}, as QEMU 7.2 and later write: makedumpfile cannot read this file`,
    )
  }
  return {
    data: new Ranges(data),
    cutOff: new Ranges(cutOff),
    memory: new Ranges(memory),
    notes,
    unwritten,
    live,
  }
}

function locate(file: FileBytes, header: ElfHeader) {
  const at = Number(header.e_phoff)
  const stride = header.e_phentsize
  let count = header.e_phnum
  // The number of segments of ELF32 is not that large: all of them end below 4 GiB.
  if (count === PN_XNUM && header.class !== ELFCLASS32) {
    const bytes = file.read(Number(header.e_shoff), Elf64_Shdr.size, 'Elf64_Shdr')
    count = readStruct(Elf64_Shdr, viewOf(bytes), 0).sh_info
  }
  const wrong = (field: keyof ElfHeader, problem: string) =>
    new FormatError(
      `${file.name}: Elf64_Ehdr.${field} ${problem}`,
      `Elf64_Ehdr.${field}`,
      Elf64_Ehdr.offsets[field],
    )
  if (count === 0) throw wrong('e_phnum', 'is 0: the dump has no memory')
  if (count > MAX_SEGMENTS) throw wrong('e_phnum', `is ${count}, more than ${MAX_SEGMENTS}`)
  const least = header.class === ELFCLASS32 ? Elf32_Phdr.size : Elf64_Phdr.size
  if (stride < least) throw wrong('e_phentsize', `is ${stride}, below ${least}`)
  const end = at + count * stride
  if (end > file.size) {
    throw wrong(
      'e_phoff',
      `is ${at}: ${count} program headers end at ${end}, the file at ${file.size}`,
    )
  }
  return { count, at, stride }
}

function isEmpty(view: DataView): boolean {
  for (let i = 0; i < view.byteLength; i++) if (view.getUint8(i) !== 0) return false
  return true
}

function u32At(view: DataView, at: number): number {
  return view.getUint32(at, true)
}

// Exact up to 2^53; what is above is out of every range here.
function u64At(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
