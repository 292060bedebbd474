// SPDX-License-Identifier: GPL-2.0-or-later
// The same tables read in bulk: every run of pages of a range, each table read once.

import { PAGE_SIZE } from '../dump/format.ts'
import { type Frames } from './walk.ts'
import { entryFrame, entryKind, type EntryKind, type Level, type PagingRules } from './x86_64.ts'

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
  const span = 512 ** (level - 1)
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
