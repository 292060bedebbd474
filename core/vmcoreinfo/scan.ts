// SPDX-License-Identifier: GPL-2.0-or-later
// VMCOREINFO found in a host's memory, for dumps that have no note of it (a hypervisor's, most often).

import { PAGE_SIZE, type PageSource } from '../dump/format.ts'
import { counted } from '../progress.ts'

/** A text in memory that looks like VMCOREINFO. */
export interface FoundVmcoreinfo {
  readonly text: string
  /** The frame in which it begins. */
  readonly pfn: number
  /** `note`: behind an ELF note header (vmcoreinfo_note). `page`: at the start of a page (vmcoreinfo_data). */
  readonly from: 'note' | 'page'
}

const OWNER = 'VMCOREINFO\0'
const START = 'OSRELEASE='
/** Elf64_Nhdr before the owner's name: its length, that of the text, type 0. The name is padded to 12 bytes. */
const HEADER_BYTES = 12
const PADDED_OWNER = 12
/** The kernel keeps the text in one page (VMCOREINFO_BYTES), which the note's header pushes over the page's end. */
const MAX_TEXT = PAGE_SIZE
/** Texts are kept to give each once, and guests can fill their memory with different ones. */
const MAX_SEEN = 4096

/**
 * Every text in memory that looks like VMCOREINFO, each different one once, in the order of frames. There can be
 * several: the kernel's own, its copy for the crash kernel, and those of guests, so the caller has to verify which one
 * tells the truth about the host. Reads all pages of the dump, one after another, so stop when one verifies.
 */
export function* scanVmcoreinfo(source: PageSource): Generator<FoundVmcoreinfo> {
  const seen = new Set<string>()
  const work = { label: 'looking for VMCOREINFO', unit: 'frames', total: source.endPfn }
  for (const pfn of counted(work)) {
    const page = source.page(pfn)
    if (!(page instanceof Uint8Array)) continue
    for (const found of inPage(source, pfn, page)) {
      if (seen.has(found.text)) continue
      if (seen.size < MAX_SEEN) seen.add(found.text)
      yield found
    }
  }
}

function* inPage(source: PageSource, pfn: number, page: Uint8Array): Generator<FoundVmcoreinfo> {
  const bytes = Buffer.from(page.buffer, page.byteOffset, PAGE_SIZE)
  if (bytes.toString('latin1', 0, START.length) === START) {
    yield { text: wholeLines(bytes), pfn, from: 'page' }
  }
  for (let at = bytes.indexOf(OWNER, 0, 'latin1'); at >= 0;) {
    const header = at - HEADER_BYTES
    const length = header >= 0 ? textLength(bytes, header) : undefined
    if (length !== undefined) {
      const text = behind(source, pfn, bytes, at + PADDED_OWNER, length)
      if (text.startsWith(START)) yield { text, pfn, from: 'note' }
    }
    at = bytes.indexOf(OWNER, at + 1, 'latin1')
  }
}

function textLength(bytes: Buffer, header: number): number | undefined {
  const isNote = bytes.readUInt32LE(header) === OWNER.length && bytes.readUInt32LE(header + 8) === 0
  const length = bytes.readUInt32LE(header + 4)
  return isNote && length > 0 && length <= MAX_TEXT ? length : undefined
}

/** The text behind a header. It may go on in the next frame; when the dump lacks that, what is here is given. */
function behind(
  source: PageSource,
  pfn: number,
  bytes: Buffer,
  at: number,
  length: number,
): string {
  const here = bytes.subarray(at, at + length)
  if (here.length === length) return wholeLines(here)
  const next = source.page(pfn + 1)
  if (!(next instanceof Uint8Array)) return wholeLines(here)
  return wholeLines(Buffer.concat([here, next.subarray(0, length - here.length)]))
}

/** Up to the first NUL or the last complete line: a line that was cut would give a wrong number. */
function wholeLines(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  const text = bytes.toString('utf8', 0, end < 0 ? bytes.length : end)
  return text.slice(0, text.lastIndexOf('\n') + 1)
}
