// SPDX-License-Identifier: GPL-2.0-or-later
// What a dump format is: a record that recognises a file, and the pages that come out of it.

import { type DumpError } from '../errors.ts'
import { type FileBytes } from './file.ts'

/** The page size of x86-64, in bytes. Every page source serves pages of this size. */
export const PAGE_SIZE = 4096

/**
 * Why a page is not there. `hole`: the host has no such memory. `excluded`: makedumpfile filtered it.
 * `lost`: the file ends too early or says that it is incomplete. `corrupt`: its data do not decode.
 * `unreadable`: the file has the data, but the system does not give them: an error of the disk or the network.
 */
export interface Missing {
  readonly why: 'hole' | 'excluded' | 'lost' | 'corrupt' | 'unreadable'
  /** The reason in words, with numbers, to be put behind "cannot read … address …: ". */
  readonly detail: string
}

/** Why a page is missing whose bytes the file did not give: `error` is what reading or unpacking them threw. */
export function missingBy(error: DumpError): Missing {
  const why = error.code === 'read' ? 'unreadable' : error.code === 'codec' ? 'corrupt' : 'lost'
  return { why, detail: error.message }
}

/** Frames from the first to below the second. */
export type FrameRange = readonly [from: number, to: number]

/** One ELF note, as in a PT_NOTE segment or in a kdump's note block. */
export interface Note {
  /** The owner's name without its NUL: `VMCOREINFO`, `CORE`, `QEMU`. */
  readonly name: string
  readonly type: number
  readonly desc: Uint8Array
}

/** What the file says of itself; shown in the dump's summary. */
export interface DumpFacts {
  /** The format's name, such as `kdump-compressed` or `ELF`. */
  readonly format: string
  /** The header's version, where the format has one. */
  readonly version?: number
  /** The codecs that the header names, such as `zlib`. Pages carry their own. */
  readonly codecs?: readonly string[]
  /** makedumpfile's dump level (-d), where known: bit 1 zero, 2 cache, 4 private cache, 8 user, 16 free pages left out. */
  readonly dumpLevel?: number
  /** uname of the host, where the header has it. `build` is what `uname -v` prints. */
  readonly release?: string
  readonly machine?: string
  readonly nodename?: string
  readonly sysname?: string
  readonly build?: string
  readonly domainname?: string
  /** The number of processors, as the header says. */
  readonly cpus?: number
  /** When the dump was taken, in seconds since 1970, where the header has it. */
  readonly timestamp?: number
  /** `phys_base` as the header says. QEMU writes it wrong: a candidate, never the truth. */
  readonly physBase?: bigint
  /** What makedumpfile was told to erase, in its words, one thing a line, where it was. */
  readonly eraseinfo?: string
  /** Things about this file that a reader should know: incomplete, odd headers. */
  readonly remarks: readonly string[]
}

/** Pages of a host's memory by page frame number. Knows nothing of files: a recording, a file, a guest's memory can be one. */
export interface PageSource {
  readonly facts: DumpFacts
  /** All frames are below this number. */
  readonly endPfn: number
  readonly notes: readonly Note[]
  /** The text of VMCOREINFO, where the format points at it or has a note of it. */
  readonly vmcoreinfo: string | undefined
  /**
   * The 4096 bytes of a frame, or why there are none. The array belongs to the source's cache: it must not be
   * written, and its content stays valid.
   */
  page(pfn: number): Uint8Array | Missing
  /** Whether the host has memory at a frame, saved or not. Only `page` can tell where this is not there. */
  exists?(pfn: number): boolean
  /**
   * How many of `count` frames from `pfn` on are in the file, by its index alone: nothing is unpacked, and one whose data
   * turn out to be damaged counts. Only `page` can tell where this is not there.
   */
  saved?(pfn: number, count: number): number
  /**
   * Says that these frames will be asked for soon, in this order as a rule. Where pages take long to unpack, that may
   * begin in other threads. Changes no answer.
   */
  ahead?(pfns: readonly number[]): void
  /** All memory of the host, saved or not, as runs of frames in ascending order, when that is known without a search. */
  memory?(): Iterable<FrameRange>
  /** Closes the file. */
  close(): void
}

/** One way to write a dump. A new format is a file that exports this, and one line in the table of `open.ts`. */
export interface DumpFormat {
  readonly name: string
  /** What makes a file one of these; shown when no format knows a file: `'KDUMP   ' at offset 0`. */
  readonly looksFor: string
  /** True when the first bytes say that the file is of this format. Cheap, never throws. */
  probe(head: Uint8Array): boolean
  /** Opens the file. Throws FormatError or UnsupportedError when it is of this format, but broken or not readable. */
  open(file: FileBytes): PageSource
}
