// SPDX-License-Identifier: GPL-2.0-or-later
// Where the lowest tables are, without reading them: so that many can be asked for ahead.

import { PAGE_SIZE } from '../dump/format.ts'
import { type Frames } from './walk.ts'
import { entryFrame, entryKind, type Level, type PagingRules } from './x86_64.ts'

/** The tables that a table of level 2 names for entries `from` to below `to`, which count on over all tables. */
export function tablesIn(view: DataView, rules: PagingRules, from: number, to: number): number[] {
  const tables: number[] = []
  for (let entry = from; entry < to; entry++) {
    const table = tableIn(view, rules, entry)
    if (table !== undefined) tables.push(table)
  }
  return tables
}

function tableIn(view: DataView, rules: PagingRules, entry: number): number | undefined {
  const low = view.getUint32((entry % 512) * 8, true)
  const high = view.getUint32((entry % 512) * 8 + 4, true)
  const kind = entryKind(2, low, high)
  return kind === 'table' ? entryFrame(2, kind, low, high, rules) : undefined
}

/** The frames of the lowest tables for virtual page numbers, in their order, as far as there are such tables. */
export function leafTables(
  frames: Frames,
  rules: PagingRules,
  root: number,
  vpns: readonly number[],
): number[] {
  const tables: number[] = []
  let gib = -1
  let view: DataView | undefined
  for (const vpn of vpns) {
    if (Math.floor(vpn / 512 ** 2) !== gib) {
      gib = Math.floor(vpn / 512 ** 2)
      view = secondTable(frames, rules, root, vpn)
    }
    const table = view === undefined ? undefined : tableIn(view, rules, Math.floor(vpn / 512))
    if (table !== undefined) tables.push(table)
  }
  return tables
}

/** The table of level 2 on the way to a page, which is one for each GiB. */
function secondTable(
  frames: Frames,
  rules: PagingRules,
  root: number,
  vpn: number,
): DataView | undefined {
  let table = Math.floor(root / PAGE_SIZE)
  for (let level: Level = rules.levels; ; level = (level - 1) as Level) {
    const page = frames.tryPage(table)
    if (!(page instanceof Uint8Array)) return undefined
    const view = new DataView(page.buffer, page.byteOffset, PAGE_SIZE)
    if (level === 2) return view
    const at = (Math.floor(vpn / 512 ** (level - 1)) % 512) * 8
    const [low, high] = [view.getUint32(at, true), view.getUint32(at + 4, true)]
    const kind = entryKind(level, low, high)
    if (kind !== 'table') return undefined
    table = entryFrame(level, kind, low, high, rules)
  }
}
