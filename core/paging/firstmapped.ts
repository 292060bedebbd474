// SPDX-License-Identifier: GPL-2.0-or-later
// The first page that tables map in a range of addresses: where a kernel begins, when nothing says it.

import { PAGE_SIZE } from '../dump/format.ts'
import { type Frames } from './walk.ts'
import { entryFrame, entryKind, type Level, type PagingRules } from './x86_64.ts'

/** A mapped page: the first frame, and the virtual page number (the address divided by 4096) that it is mapped at. */
export interface MappedPage {
  readonly vpn: number
  readonly frame: number
}

/** One GiB of small pages has 513 tables, and a direct map begins behind at most a few empty ones. */
const MAX_TABLES = 2048

/**
 * The first present page from virtual page number `from` to below `to`. The table at `root` is one of `level` levels:
 * a whole tree's root, or a table below it with page numbers counted from that table's first. Tables that the dump
 * lacks are passed over. Undefined when nothing is mapped, or not within 2048 tables.
 */
export function firstMapped(
  frames: Frames,
  rules: PagingRules,
  root: number,
  level: Level,
  from: number,
  to: number,
): MappedPage | undefined {
  return inTable(frames, rules, Math.floor(root / PAGE_SIZE), level, from, to, {
    left: MAX_TABLES,
  })
}

function inTable(
  frames: Frames,
  rules: PagingRules,
  table: number,
  level: Level,
  from: number,
  to: number,
  tables: { left: number },
): MappedPage | undefined {
  const page = tables.left-- > 0 ? frames.tryPage(table) : undefined
  if (!(page instanceof Uint8Array)) return undefined
  const view = new DataView(page.buffer, page.byteOffset, PAGE_SIZE)
  const span = 512 ** (level - 1)
  for (let at = from; at < to && tables.left > 0;) {
    const next = at - (at % span) + span
    const offset = (Math.floor(at / span) % 512) * 8
    const low = view.getUint32(offset, true)
    const high = view.getUint32(offset + 4, true)
    const kind = entryKind(level, low, high)
    if (kind === 'page') {
      return { vpn: at, frame: entryFrame(level, kind, low, high, rules) + (at % span) }
    }
    if (kind === 'table') {
      const below = entryFrame(level, kind, low, high, rules)
      const end = Math.min(next, to)
      const found = inTable(frames, rules, below, (level - 1) as Level, at, end, tables)
      if (found !== undefined) return found
    }
    at = next
  }
  return undefined
}
