// SPDX-License-Identifier: GPL-2.0-or-later
// Split dumps (makedumpfile --split): whether parts belong together, which are missing, and who has a frame.

import { readStruct } from '../bytes/struct.ts'
import { UsageError } from '../errors.ts'
import { disk_dump_header, DUMP_DH_COMPRESSED_INCOMPLETE } from './kdump/diskdump.ts'
import { type FileBytes } from './file.ts'
import { type KdumpHeaders, readHeaders } from './kdump/kdumpheaders.ts'

/** More parts than anybody has written. */
const MAX_PARTS = 1024

/** A kdump-compressed file: a whole dump, or a part of one. */
export interface KdumpPart {
  readonly file: FileBytes
  readonly headers: KdumpHeaders
  /** The frames whose descriptors are here, the end exclusive. A part may have none. */
  readonly start: number
  readonly end: number
}

/**
 * Reads the headers of the files, and sorts them by frame. One file may be anything; of several all must be parts of
 * one split dump: with the same main header, and none with another's frames. Throws UsageError when they are not.
 */
export function sortParts(files: readonly FileBytes[]): [KdumpPart, ...KdumpPart[]] {
  const parts = files.map((file) => {
    const headers = readHeaders(file)
    const { start, end } = headers.part ?? { start: 0, end: headers.endPfn }
    return { file, headers, start, end }
  })
  const [given, ...others] = parts
  if (given === undefined) throw new UsageError('no part of a dump given')
  if (parts.length > MAX_PARTS) {
    throw new UsageError(
      `${parts.length} parts of a split dump given; at most ${MAX_PARTS} are read`,
    )
  }
  for (const other of others) checkAlike(given, other)
  parts.sort((a, b) => a.start - b.start || a.end - b.end)
  for (const [i, part] of parts.entries()) {
    const before = parts[i - 1]
    if (before !== undefined && part.start < before.end) {
      throw new UsageError(
        `${before.file.name} has frames ${before.start} to ${before.end} and ${part.file.name} ${part.start} to ${part.end}: is one a copy of the other?`,
      )
    }
  }
  const [first = given, ...rest] = parts
  return [first, ...rest]
}

/** What a reader should know of these parts: that there are several, which are missing, how they differ. */
export function remarksOn(parts: readonly [KdumpPart, ...KdumpPart[]]): string[] {
  const [{ headers }] = parts
  if (headers.part === undefined) return []
  const what = parts.length === 1 ? 'one part' : `${parts.length} parts`
  const gaps = missing(parts)
  const frames = gaps.map(({ start, end }) => `${start} to ${end}`).join(', ')
  const remarks = [
    `${what} of a split dump: ${gaps.length === 0 ? 'all frames' : `without those of frames ${frames}`}`,
  ]
  if (parts.some((part) => part.headers.vmcoreinfo !== headers.vmcoreinfo)) {
    remarks.push('the parts have different VMCOREINFO: that of the first frames is used')
  }
  return remarks
}

/** The part that has a frame's descriptor, if it is here. Parts are few, and the first one that fits is the only one. */
export function partOf<P extends KdumpPart>(parts: readonly P[], pfn: number): P | undefined {
  return parts.find(({ start, end }) => pfn >= start && pfn < end)
}

/** Why a frame that no part has cannot be had. */
export function inOtherPart(parts: readonly [KdumpPart, ...KdumpPart[]], pfn: number): string {
  const gap = missing(parts).find(({ start, end }) => pfn >= start && pfn < end)
  const frames = gap === undefined ? '' : ` (frames ${gap.start} to ${gap.end})`
  const full = parts.filter(({ start, end }) => start < end)
  const here = full.map(({ start, end }) => `${start} to ${end}`).join(', ') || 'none'
  return `the page is in another part of this split dump${frames}; open all its parts together, here are frames ${here}`
}

function missing(parts: readonly [KdumpPart, ...KdumpPart[]]): { start: number; end: number }[] {
  const gaps: { start: number; end: number }[] = []
  let at = 0
  for (const { start, end } of parts) {
    if (start > at) gaps.push({ start: at, end: start })
    at = Math.max(at, end)
  }
  const [{ headers }] = parts
  if (at < headers.endPfn) gaps.push({ start: at, end: headers.endPfn })
  return gaps
}

// crash and makedumpfile too take equal main headers for a proof that two parts are of one dump.
function checkAlike(first: KdumpPart, other: KdumpPart): void {
  for (const { headers, file } of [first, other]) {
    if (headers.part === undefined) {
      throw new UsageError(
        `${file.name} is a whole dump, no part of a split one: it is opened by itself`,
      )
    }
  }
  const [a, b] = [first, other].map(({ file }) => {
    const bytes = file.read(0, disk_dump_header.size, 'disk_dump_header')
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const header = readStruct(disk_dump_header, view, 0)
    // A part may be incomplete and the others not.
    return { ...header, status: header.status & ~DUMP_DH_COMPRESSED_INCOMPLETE }
  })
  const fields = Object.keys(disk_dump_header.fields) as (keyof typeof disk_dump_header.fields)[]
  const unlike = fields.filter((field) => a?.[field] !== b?.[field])
  if (first.headers.endPfn !== other.headers.endPfn) unlike.push('max_mapnr')
  if (unlike.length === 0) return
  throw new UsageError(
    `${first.file.name} and ${other.file.name} are not parts of one dump: their headers differ in ${unlike.join(', ')}`,
  )
}
