// SPDX-License-Identifier: GPL-2.0-or-later
// What is known of a host beside its dump: recorded while it ran, or what a built one was made of.

/** Everything that features are compared with. */
export interface WantedHost {
  /** Why the dump has no content of user pages; undefined when it has. */
  readonly noUserPages?: string
  readonly processes: readonly {
    readonly pid: number
    readonly comm: string
    readonly ppid: number
  }[]
  readonly swaps: readonly { readonly type: number; readonly path: string; readonly kind: string }[]
  readonly guests: readonly WantedGuest[]
}

export interface WantedGuest {
  readonly pid: number
  readonly threads: readonly { readonly tid: number; readonly comm: string }[]
  /** Paths among those of its open files, and of its VMAs in their order. */
  readonly files: readonly string[]
  readonly vmas: readonly WantedVma[]
  readonly memslots: readonly WantedSlot[]
  /** The threads of its vCPUs, in order. */
  readonly vcpus: readonly number[]
  readonly translations: readonly WantedTranslation[]
  /** Guest frames that are private, with their host physical addresses. */
  readonly privatePages: readonly (readonly [gpa: number, hpa: number])[]
  /** Pages of the slots of address space 0 that are mapped: gpa and hpa. */
  readonly mapped: () => readonly (readonly [gpa: number, hpa: number])[]
  /** Pages of those slots with another entry, and with none. */
  readonly counts: () => { readonly otherEntries: number; readonly unmapped: number }
  /** The words at the start of a page that the guest wrote to. */
  readonly words: (gpa: number) => readonly bigint[]
}

export interface WantedVma {
  readonly start: bigint
  readonly end: bigint
  readonly protection: string
  readonly file: string | null
}

export interface WantedSlot {
  readonly addressSpace: number
  readonly id: number
  readonly gpa: number
  readonly size: number
  readonly hva: bigint
  readonly isLogged: boolean
  /** The frames that the guest wrote to, where that is known. */
  readonly dirty?: readonly number[]
}

export interface WantedTranslation {
  readonly gpa: number
  readonly state: string
  readonly hva: bigint | null
  readonly hpa: number | null
  readonly swap?: { readonly type: number; readonly offset: number; readonly path: string }
  readonly page?: { readonly mapcount?: number; readonly use?: string; readonly order?: number }
  /** True when the guest wrote its own words there. */
  readonly isWritten: boolean
}
