// SPDX-License-Identifier: GPL-2.0-or-later
// ELF notes: in PT_NOTE segments and in a kdump's note block.

import { printable } from '../bytes/printable.ts'
import { readStruct, struct, u32, writeStruct } from '../bytes/struct.ts'
import { type Note } from './format.ts'

/** The header of a note (elf.h). Name and description follow, each padded to 4 bytes, in ELF64 too. */
export const Elf64_Nhdr = struct('Elf64_Nhdr', { n_namesz: u32, n_descsz: u32, n_type: u32 })

/** More bytes of notes than any dump has: a note of a processor is below 1 KiB, device dumps are some MiB. */
export const MAX_NOTES_BYTES = 64 << 20
const MAX_NOTES = 100_000
const MAX_NAME = 64
const MAX_VMCOREINFO = 1 << 20

/** The notes of a block, and what stopped the reading before the block's end, if something did. */
export interface NoteBlock {
  readonly notes: readonly Note[]
  readonly problem: string | undefined
}

/**
 * Reads a block of notes up to its end or to the first that cannot be. Zeros are stepped over word by word: the notes of
 * processors that were off are left as zeros, and no writer of dumps makes notes without a name.
 */
export function parseNotes(bytes: Uint8Array): NoteBlock {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const notes: Note[] = []
  let at = 0
  while (at + Elf64_Nhdr.size <= bytes.length) {
    const { n_namesz, n_descsz, n_type } = readStruct(Elf64_Nhdr, view, at)
    if (n_namesz === 0) {
      at += 4
      continue
    }
    const left = bytes.length - at - Elf64_Nhdr.size
    const descAt = at + Elf64_Nhdr.size + pad(n_namesz)
    if (n_namesz > MAX_NAME || pad(n_namesz) + n_descsz > left || notes.length === MAX_NOTES) {
      const sizes = `namesz ${n_namesz}, descsz ${n_descsz}, ${left} bytes left`
      return {
        notes,
        problem: `note ${notes.length} at ${at} of the note block cannot be: ${sizes}`,
      }
    }
    const name = bytes.subarray(at + Elf64_Nhdr.size, at + Elf64_Nhdr.size + n_namesz)
    notes.push({
      name: new TextDecoder().decode(name).replace(/\0[^]*$/, ''),
      type: n_type,
      desc: bytes.slice(descAt, descAt + n_descsz),
    })
    at = descAt + pad(n_descsz)
  }
  return { notes, problem: undefined }
}

/** Writes notes as one block, and tells where in it each description begins. */
export function writeNotes(notes: readonly Note[]): { bytes: Uint8Array; descAt: number[] } {
  const names = notes.map((note) => new TextEncoder().encode(`${note.name}\0`))
  const size = notes.reduce(
    (sum, note, i) => sum + Elf64_Nhdr.size + pad(names[i]?.length ?? 0) + pad(note.desc.length),
    0,
  )
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  const descAt: number[] = []
  let at = 0
  for (const [i, note] of notes.entries()) {
    const name = names[i] ?? new Uint8Array()
    const header = { n_namesz: name.length, n_descsz: note.desc.length, n_type: note.type }
    writeStruct(Elf64_Nhdr, view, at, header)
    bytes.set(name, at + Elf64_Nhdr.size)
    at += Elf64_Nhdr.size + pad(name.length)
    descAt.push(at)
    bytes.set(note.desc, at)
    at += pad(note.desc.length)
  }
  return { bytes, descAt }
}

/** The text of the first VMCOREINFO note (kernel/crash_core.c writes at most a page). */
export function vmcoreinfoOf(notes: readonly Note[]): string | undefined {
  const note = notes.find(({ name, desc }) => name === 'VMCOREINFO' && desc.length > 0)
  return note && vmcoreinfoText(note.desc)
}

/** VMCOREINFO's bytes as text, up to a NUL. Undefined when they are more than it can ever be. */
export function vmcoreinfoText(bytes: Uint8Array): string | undefined {
  if (bytes.length > MAX_VMCOREINFO) return undefined
  return new TextDecoder().decode(bytes).replace(/\0[^]*$/, '')
}

// Of every dump: the processors' registers and VMCOREINFO.
const ordinary = new Set(['CORE 1', 'QEMU 0', 'VMCOREINFO 0', 'QEMU-VTOP 1'])
// <linux/elf.h>; fs/proc/vmcore.c (vmcoredd_header: the name of a device dump is char[44] before its data).
const named: ReadonlyMap<string, string> = new Map([
  ['CORE 3', 'NT_PRPSINFO'],
  ['CORE 4', 'NT_TASKSTRUCT'],
  ['LINUX 1792', 'NT_VMCOREDD'],
  ['VMCOREINFO_XEN 0', 'VMCOREINFO_XEN'],
  ['SNAP 4', 'NT_TASKSTRUCT of a snapshot'],
])
const VMCOREDD_NAME = 44
const MOST_NAMED = 20

/** Notes beside those that every dump has, in words: `'LINUX NT_VMCOREDD cxgb4_0000 (1048620 bytes)'`. */
export function otherNotes(notes: readonly Note[]): string[] {
  const others = notes.filter(({ name, type }) => !ordinary.has(`${name} ${type}`))
  const words = others.slice(0, MOST_NAMED).map(({ name, type, desc }) => {
    const kind = named.get(`${name} ${type}`) ?? `type ${type}`
    const device =
      kind === 'NT_VMCOREDD' ? ` ${vmcoreinfoText(desc.subarray(0, VMCOREDD_NAME)) ?? ''}` : ''
    return printable(`${name} ${kind}${device} (${desc.length} bytes)`)
  })
  return others.length > words.length ? [...words, `${others.length - words.length} more`] : words
}

function pad(size: number): number {
  return Math.ceil(size / 4) * 4
}

/** The owner's name of the note that marks a slice of a dump. Other readers step over notes that they do not know. */
const SLICE_NOTE = 'QEMU-VTOP'

/** The note that a slice carries, so that a page that is not in it is not taken for one that makedumpfile left out. */
export function sliceNote(): Note {
  return { name: SLICE_NOTE, type: 1, desc: new TextEncoder().encode('slice of a dump\n') }
}

/** Whether these notes are a slice's. */
export function isSlice(notes: readonly Note[]): boolean {
  return notes.some((note) => note.name === SLICE_NOTE && note.type === 1)
}
