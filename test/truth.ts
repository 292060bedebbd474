// SPDX-License-Identifier: GPL-2.0-or-later
// What is known of a real dump: recorded on the host while it ran, by nobody's code here.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { realDump } from './place.ts'

/** A memslot as QEMU's own trace of KVM_SET_USER_MEMORY_REGION tells it, and where its pagemap is. */
export interface TrueMemslot {
  readonly address_space: number
  readonly slot: number
  readonly flags: number
  readonly readonly: boolean
  readonly gpa: string
  readonly size: string
  readonly hva: string
  readonly pages: number
  readonly pagemap_bin_offset: number
}

/** One recorded translation. */
export interface TrueTranslation {
  readonly gpa: string
  readonly slot?: number
  readonly hva?: string
  readonly state: 'present' | 'swapped' | 'hwpoison' | 'special' | 'none' | 'no-memslot'
  readonly kind?: string
  readonly hpa?: string
  readonly swap_type?: number
  readonly swap_offset?: number
  readonly swapcache?: boolean
  readonly uffd_wp?: boolean
  readonly kpagecount?: number
  readonly kpageflags_names?: readonly string[]
  readonly content_in_dump?: string
}

/** What this project calls each state of the records. */
export const stateOf = {
  present: 'mapped',
  swapped: 'swapped',
  hwpoison: 'poisoned',
  special: 'marker',
  none: 'unmapped',
  'no-memslot': 'no-slot',
} as const satisfies Record<TrueTranslation['state'], string>

/** A virtual machine of the host. */
export interface TrueVm {
  readonly name: string
  readonly pid: number
  readonly comm: string
  readonly cmdline: readonly string[]
  readonly uuid: string
  readonly vmid: string
  readonly threads: readonly { readonly tid: number; readonly comm: string }[]
  readonly memslots: readonly TrueMemslot[]
  /** "kind / what the unfiltered memory held at the hpa" to the number of pages. */
  readonly content_check: Readonly<Record<string, number>>
  readonly translations: readonly TrueTranslation[]
  /** Counts over all memslots of address space 0 by kind: `4k`, `swap:/dev/zram0`, `none` … */
  readonly pages_by_kind: Readonly<Record<string, number>>
  /** The VMAs behind the memslots, with numbers of /proc/PID/smaps in kB. */
  readonly ram_vmas: readonly {
    readonly start: string
    readonly end: string
    readonly perms: string
    readonly smaps: Readonly<Record<string, number>>
    /** Its line of /proc/PID/numa_maps. */
    readonly numa_maps: string
  }[]
}

/** The truth beside a dump. */
export interface Truth {
  readonly kernel: string
  /** /proc/version. */
  readonly proc_version: string
  readonly special_swap_types: Readonly<Record<string, string>>
  readonly swaps: readonly {
    readonly type: number
    readonly path: string
    readonly kind: string
    readonly size_kb: number
    readonly used_kb: number
    readonly priority: number
  }[]
  readonly processes: readonly {
    readonly pid: number
    readonly comm: string
    readonly ppid: number
    readonly kthread: boolean
  }[]
  readonly vms: readonly TrueVm[]
}

/** Reads the truth of a dump. */
export function truthOf(kernel: string): Truth {
  return truthAt(join(realDump(kernel).folder, 'truth.json'))
}

/** Reads the truth of a host that a file holds. */
export function truthAt(path: string): Truth {
  return JSON.parse(readFileSync(path, 'utf8')) as Truth
}

/** The recorded /proc/PID/pagemap entries of all memslots, 8 bytes each, as two halves: low, high, low, high … */
export function pagemapOf(kernel: string): Uint32Array {
  return pagemapAt(join(realDump(kernel).folder, 'pagemap.bin'))
}

/** The same, of a host that a file holds. */
export function pagemapAt(path: string): Uint32Array {
  const bytes = readFileSync(path)
  return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
}

/** For each entry of the pagemap /proc/kpageflags and /proc/kpagecount of its frame, as 64-bit words. */
export function kpageOf(kernel: string): BigUint64Array {
  const bytes = gunzipSync(readFileSync(join(realDump(kernel).folder, 'kpage.bin.gz')))
  return new BigUint64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
}
