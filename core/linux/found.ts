// SPDX-License-Identifier: GPL-2.0-or-later
// A value with what it rests on, and what a user can give when a dump does not tell it.

/** A value with what it rests on, for the dump's summary. */
export interface Found<T> {
  readonly value: T
  /** Where it came from, and what verified it: `VMCOREINFO NUMBER(phys_base), verified by …`. */
  readonly from: string
}

/** What the user knows of the dumped kernel, for dumps in which it is not found. All of it is verified before it is used. */
export interface Given {
  /** `phys_base`, which can be negative. */
  readonly physBase?: bigint | undefined
  /** The value of CR3 of a processor of the host: the physical address of a page table that maps the kernel. */
  readonly cr3?: bigint | undefined
  /** VMCOREINFO as text: `OSRELEASE=…` and the lines behind it. */
  readonly vmcoreinfo?: string | undefined
}

/** How far a search through all frames of a dump has come. */
export interface ScanProgress {
  /** What is looked for: `VMCOREINFO`, `phys_base`. */
  readonly lookingFor: string
  /** Frames that were looked at, and how many there are. */
  readonly done: number
  readonly total: number
}

/** Is told now and then how far a search has come. What it throws ends the search. */
export type OnScan = (progress: ScanProgress) => void

/** Frames between two reports: some hundredths of a second, since stored pages have to be decoded. */
export const SCAN_BLOCK = 1024
