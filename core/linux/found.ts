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
