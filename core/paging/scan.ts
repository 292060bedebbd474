// SPDX-License-Identifier: GPL-2.0-or-later
// The same tables read in bulk: every run of pages of a range, each table read once.

import { PAGE_SIZE } from '../dump/format.ts'
import { tablesIn } from './leaftables.ts'
import { type Frames } from './walk.ts'
import {
  entryFrame,
  entryKind,
  type EntryKind,
  type Level,
  type PagingRules,
  PRESENT,
} from './x86_64.ts'

/**
 * Takes a run of pages under one entry: `vpn` is its first virtual page number, `count` its pages. `frame` is the
 * frame of that first page for `page` and `prot-none`, else 0. `low` and `high` are the entry's halves. A table that
 * the dump lacks comes as kind `missing` with its frame.
 */
export type Visit = (
  vpn: number,
  count: number,
  kind: EntryKind | 'missing',
  level: Level,
  frame: number,
  low: number,
  high: number,
) => void

/**
 * Visits `count` pages from virtual page number `vpn` (the address divided by 4096), in order and without gaps.
 * Work grows with the tables that cover the range: one visit for a page, an empty stretch or a large page.
 */
export function scan(
  frames: Frames,
  rules: PagingRules,
  root: number,
  vpn: number,
  count: number,
  visit: Visit,
): void {
  const table = Math.floor(root / PAGE_SIZE)
  scanTable(frames, rules, [table], rules.levels, vpn, vpn + count, visit)
}

/** `path` are the tables on the way from the top to the one to read, which is the last. */
function scanTable(
  frames: Frames,
  rules: PagingRules,
  path: number[],
  level: Level,
  from: number,
  to: number,
  visit: Visit,
): void {
  const table = path.at(-1) ?? 0
  const page = frames.tryPage(table)
  if (!(page instanceof Uint8Array)) {
    visit(from, to - from, 'missing', level, table, 0, 0)
    return
  }
  const view = new DataView(page.buffer, page.byteOffset, PAGE_SIZE)
  if (level === 1) {
    scanPages(view, rules, from, to, visit)
    return
  }
  const span = 512 ** (level - 1)
  if (level === 2 && frames.ahead !== undefined) {
    frames.ahead(tablesIn(view, rules, Math.floor(from / span), Math.ceil(to / span)))
  }
  for (let at = from; at < to;) {
    const next = Math.min(to, at - (at % span) + span)
    const offset = (Math.floor(at / span) % 512) * 8
    const low = view.getUint32(offset, true)
    const high = view.getUint32(offset + 4, true)
    const kind = entryKind(level, low, high)
    if (kind === 'table') {
      const below = entryFrame(level, kind, low, high, rules)
      if (path.includes(below)) {
        // Linux builds no table that is its own parent: what lies under it is damage, not memory.
        visit(at, next - at, 'bad', level, 0, low, high)
      } else {
        path.push(below)
        scanTable(frames, rules, path, (level - 1) as Level, at, next, visit)
        path.pop()
      }
    } else {
      const mapped = kind === 'page' || kind === 'prot-none'
      const frame = mapped ? entryFrame(level, kind, low, high, rules) + (at % span) : 0
      visit(at, next - at, kind, level, frame, low, high)
    }
    at = next
  }
}

/** The entries of a table of level 1. Where a guest's memory is in small pages, all the time is spent here. */
function scanPages(
  view: DataView,
  rules: PagingRules,
  from: number,
  to: number,
  visit: Visit,
): void {
  const ownBits = 0xfffff & ~rules.encryptionHigh
  for (let at = from; at < to; at++) {
    const low = view.getUint32((at % 512) * 8, true)
    const high = view.getUint32((at % 512) * 8 + 4, true)
    if ((low & PRESENT) !== 0) {
      visit(at, 1, 'page', 1, (high & ownBits) * 0x100000 + (low >>> 12), low, high)
      continue
    }
    const kind = entryKind(1, low, high)
    const frame = kind === 'prot-none' ? entryFrame(1, kind, low, high, rules) : 0
    visit(at, 1, kind, 1, frame, low, high)
  }
}
