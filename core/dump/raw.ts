// SPDX-License-Identifier: GPL-2.0-or-later
// Raw memory: bytes without any header, which only the one who made them can place.

import { hex, parseAddress } from '../bytes/hex.ts'
import { UsageError } from '../errors.ts'
import { CHUNK_BYTES, ChunkedFile } from './chunks.ts'
import { type FileBytes } from './file.ts'
import { type PageSource } from './format.ts'
import { MAX_ADDRESS, RangePages } from './rangepages.ts'
import { type Range } from './ranges.ts'

const CHUNKS = (1 << 20) / CHUNK_BYTES
const EXAMPLE = "{format: 'raw', base: '0x0'}"

/** An address or offset: a bigint, a whole number, or hex text. */
type Place = bigint | number | string

/** A part of a raw file: `length` bytes at `offset` of the file are memory from the physical address `start`. */
export interface RawRange {
  readonly offset: Place
  readonly start: Place
  readonly length: Place
}

/** How to take a file that nothing can be recognised by. */
export interface RawOptions {
  /** The file is raw physical memory. Never guessed: any file could be that. */
  readonly format?: 'raw'
  /** The physical address of the raw file's first byte; the rest follows without a gap. Or give `ranges`. */
  readonly base?: Place
  /**
   * Where the parts of a raw file belong: a guest's RAM file or a VMware .vmem goes on at 4 GiB behind the hole for
   * PCI devices. Offsets and sizes as numbers, or hex text.
   */
  readonly ranges?: readonly RawRange[]
}

/** Whether these options ask for a raw file. Throws UsageError when only half of what is needed is given. */
export function asksForRaw({ format, base, ranges }: RawOptions): boolean {
  if (format === undefined) {
    if (base === undefined && ranges === undefined) return false
    throw new UsageError(
      `base and ranges are for raw memory only: add format: 'raw', as in ${EXAMPLE}`,
    )
  }
  if ((format as string) !== 'raw') {
    throw new UsageError(
      `the format '${format as string}' cannot be asked for: formats are recognised, but for 'raw'`,
    )
  }
  if ((base === undefined) === (ranges === undefined)) {
    throw new UsageError(
      `raw memory needs the physical address of its first byte, or ranges: ${EXAMPLE}, or ` +
        "{format: 'raw', ranges: [{offset: 0, start: 0, length: '0x80000000'}, …]}",
    )
  }
  return true
}

/** Opens raw memory. Throws UsageError for ranges that cannot be. `looksLike` is the format that its bytes begin as. */
export function openRaw(
  file: FileBytes,
  { base, ranges }: RawOptions,
  looksLike: string | undefined,
): PageSource {
  const wanted = ranges ?? [{ offset: 0, start: base ?? 0, length: file.size }]
  const list = wanted.map((range, i) =>
    placed(file, range, ranges === undefined ? 'base' : `ranges[${i}]`),
  )
  const sorted = [...list].sort((a, b) => a.start - b.start)
  for (const [i, range] of sorted.entries()) {
    const before = sorted[i - 1]
    if (before === undefined || before.end <= range.start) continue
    throw new UsageError(
      `ranges: two of them have the address ${hex(range.start)}, and a page has one place`,
    )
  }
  const remarks = ['raw memory: where it belongs was given, the file does not tell']
  if (list.some(({ start, end, offset }) => offset + (end - start) > file.size)) {
    remarks.push(`the file is cut off: it ends at ${file.size}, before the ranges that were given`)
  }
  if (looksLike !== undefined) {
    remarks.push(`it begins like a dump of the format ${looksLike}: try it without format: 'raw'`)
  }
  return new RangePages({
    file: new ChunkedFile(file, CHUNKS),
    ranges: list,
    facts: { format: 'raw', remarks },
    outside: 'no range that was given has it',
  })
}

function placed(file: FileBytes, range: RawRange, name: string): Range {
  const number = (member: keyof RawRange) => {
    const value = parseAddress(range[member])
    if (value !== undefined && value <= BigInt(MAX_ADDRESS)) return Number(value)
    throw new UsageError(
      `${name}: ${member} is '${String(range[member])}'; wanted a number or hex text up to 2^52`,
    )
  }
  const [offset, start, length] = [number('offset'), number('start'), number('length')]
  if (start + length > MAX_ADDRESS) {
    throw new UsageError(`${name}: it ends above 2^52, the end of physical addresses on x86-64`)
  }
  if (offset >= file.size) {
    throw new UsageError(
      `${name}: it begins at ${offset} of the file '${file.name}', which has ${file.size} bytes`,
    )
  }
  return { start, end: start + length, offset }
}
