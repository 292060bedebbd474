// SPDX-License-Identifier: GPL-2.0-or-later
// The headers of a kdump-compressed file, as makedumpfile's diskdump_mod.h and IMPLEMENTATION lay them out.

import { hex } from '../../bytes/hex.ts'
import { i32, i64, since, struct, chars, u32, u64, type Infer } from '../../bytes/struct.ts'

/** The first eight bytes of the file. */
export const KDUMP_SIGNATURE = 'KDUMP   '
/** The first eight bytes of diskdump's own files, from kernels up to 2.6.18. */
export const DISKDUMP_SIGNATURE = 'DISKDUMP'

/** Bits of `disk_dump_header.status` and of `page_desc.flags`. */
export const DUMP_DH_COMPRESSED: readonly (readonly [bit: number, codec: string])[] = [
  [0x1, 'zlib'],
  [0x2, 'lzo'],
  [0x4, 'snappy'],
  [0x20, 'zstd'],
]
/** What is wrong with a page's flags that are no one codec's bit, to be put behind "the flags 0x21 of …". */
export function flagsProblem(flags: number): string {
  const named = DUMP_DH_COMPRESSED.filter(([bit]) => (flags & bit) !== 0)
  const unknown = named.reduce((rest, [bit]) => rest & ~bit, flags) >>> 0
  if (unknown !== 0) return `hold ${hex(unknown)}, which is no codec that is known`
  return `name ${named.map(([, codec]) => codec).join(' and ')}, but a page has one codec`
}

/** The bit of `disk_dump_header.status` that says that the dump ends early. */
export const DUMP_DH_COMPRESSED_INCOMPLETE = 0x8

const beforeTime = {
  signature: chars(8),
  header_version: i32,
  sysname: chars(65),
  nodename: chars(65),
  release: chars(65),
  version: chars(65),
  machine: chars(65),
  domainname: chars(65),
}
const behindTime = {
  status: u32,
  block_size: i32,
  sub_hdr_size: i32,
  bitmap_blocks: u32,
  max_mapnr: u32,
  total_ram_blocks: u32,
  device_blocks: u32,
  written_blocks: u32,
  current_cpu: u32,
  nr_cpus: i32,
}

/** The main header, at offset 0. */
export const disk_dump_header = struct('disk_dump_header', {
  ...beforeTime,
  tv_sec: i64,
  tv_usec: i64,
  ...behindTime,
})
/** The main header as 32-bit kernels write it, with another `long`: known so that it can be refused by name. */
export const disk_dump_header_32 = struct('disk_dump_header', {
  ...beforeTime,
  tv_sec: i32,
  tv_usec: i32,
  ...behindTime,
})

/** The second header, at the second block. Members came with header versions; before, they are 0. */
export const kdump_sub_header = struct('kdump_sub_header', {
  phys_base: u64,
  dump_level: since(1, i32, 0),
  split: since(2, i32, 0),
  start_pfn: since(2, u64, 0n),
  end_pfn: since(2, u64, 0n),
  offset_vmcoreinfo: since(3, i64, 0n),
  size_vmcoreinfo: since(3, u64, 0n),
  offset_note: since(4, i64, 0n),
  size_note: since(4, u64, 0n),
  offset_eraseinfo: since(5, i64, 0n),
  size_eraseinfo: since(5, u64, 0n),
  start_pfn_64: since(6, u64, 0n),
  end_pfn_64: since(6, u64, 0n),
  max_mapnr_64: since(6, u64, 0n),
})

/** One for each page in the file, in the order of frames. */
export const page_desc = struct('page_desc', {
  offset: i64,
  size: u32,
  flags: u32,
  page_flags: u64,
})

export type DiskDumpHeader = Infer<typeof disk_dump_header>
export type KdumpSubHeader = Infer<typeof kdump_sub_header>
