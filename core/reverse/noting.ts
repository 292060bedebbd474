// SPDX-License-Identifier: GPL-2.0-or-later
// Notes what the page tables of a process say of a range of it, for the way back.

import { type SwapFormat } from '../linux/swap/swapentry.ts'
import { scan } from '../paging/scan.ts'
import { type UserSpace } from '../space/uva.ts'
import { type MappedFrames } from './mappedframes.ts'

/** An entry that is not present, but names a frame: the page was being moved, or the frame was lost. */
export interface SpecialPage {
  readonly range: number
  readonly vpn: number
  readonly kind: 'migrating' | 'poisoned' | 'device-private'
}

/** What is noted of page tables. */
export interface Notes {
  readonly frames: MappedFrames
  /** Pages whose entries are not present, by the frame that they name. They are rare. */
  readonly special: Map<number, SpecialPage[]>
  /** How many page tables the dump lacks, and the frame of the first, by whose they are. */
  readonly missing: Map<string, { readonly count: number; readonly first: number }>
  /** What could not be noted, a sentence each. */
  readonly remarks: string[]
}

/** So many page-table entries are read between two words of progress. */
const ENTRIES_A_STEP = 1 << 14
/** No more faults of one range are told one by one. */
const MOST_SPECIAL = 1 << 20

/** Where to note, and what of. */
export interface NotingRange {
  readonly number: number
  /** Who it is, for remarks: `guest web01, slot 3`. */
  readonly name: string
  readonly vpn: number
  readonly count: number
  /** Whether progress counts pages that nothing maps, too: those of a guest's memory, not the gaps of a process. */
  readonly isWhole: boolean
}

/**
 * Notes each page of a range. `endPfn` bounds the frames that the host can have: damage that names others is counted,
 * not noted. Tables that the dump lacks, and tables that map more than can be, are told in `remarks`.
 */
export function noteRange(
  notes: Notes,
  { memory, rules, root }: UserSpace,
  format: SwapFormat,
  range: NotingRange,
  endPfn: number,
  advance: (count: number) => void,
): void {
  const { frames, special } = notes
  frames.beginRange(range.number)
  let untold = 0
  let entries = 0
  let missing = 0
  let firstMissing = -1
  let beyond = 0
  // A table that hangs in many places can say the same page 2^27 times: no process maps more than this.
  const most = Math.max(range.count <= 4 * endPfn ? range.count : 4 * endPfn, 1 << 20)
  let noted = 0
  const end = { tooMany: false }
  const note = (vpn: number, count: number, kind: string, level: number, frame: number) => {
    if (kind === 'missing') {
      missing++
      if (firstMissing < 0) firstMissing = frame
    } else if (kind === 'page' || kind === 'prot-none') {
      noted += count
      if (noted > most) throw new TooMany()
      if (frame + count > endPfn) beyond++
      else frames.add(vpn, count, frame, level > 1)
    }
  }
  try {
    scan(
      memory,
      rules,
      root,
      range.vpn,
      range.count,
      (vpn, count, kind, level, frame, low, high) => {
        if (kind === 'swap') {
          const entry = format.kindOf(low, high)
          if (entry === 'migration' || entry === 'hwpoison' || entry === 'device-exclusive') {
            noteSpecial(special, range.number, vpn, count, level, format, low, high)
          }
        } else note(vpn, count, kind, level, frame)
        const isMapped = kind === 'page' || kind === 'prot-none' || kind === 'swap'
        if (isMapped || range.isWhole) untold += count
        if (++entries % ENTRIES_A_STEP !== 0) return
        advance(untold)
        untold = 0
      },
    )
  } catch (error) {
    if (!(error instanceof TooMany)) throw error
    end.tooMany = true
  }
  advance(untold)
  if (missing > 0) {
    const known = notes.missing.get(range.name)
    const first = known?.first ?? firstMissing
    notes.missing.set(range.name, { count: (known?.count ?? 0) + missing, first })
  }
  if (beyond > 0) {
    const what = `${beyond} page-table entries name frames above the host's memory`
    notes.remarks.push(`${range.name}: ${what} (damage); they are left out`)
  }
  if (end.tooMany) {
    const what = `its page tables map more than ${most} pages, which cannot be`
    notes.remarks.push(`${range.name}: ${what} (a table in several places?); the rest is left out`)
  }
}

/** Tells of all tables that the dump lacks in one sentence. */
export function tellMissing({ missing, remarks }: Notes): void {
  const [one] = missing
  if (one === undefined) return
  const [name, { first }] = one
  const count = [...missing.values()].reduce((sum, { count: tables }) => sum + tables, 0)
  const whose = missing.size === 1 ? name : `${name} and ${missing.size - 1} others`
  const tables = count === 1 ? 'a page table' : `${count} page tables`
  remarks.push(
    `${tables} of ${whose} ${count === 1 ? 'is' : 'are'} not in the dump (first frame 0x${first.toString(16)}): what is mapped there is not known`,
  )
}

class TooMany extends Error {}

function noteSpecial(
  special: Notes['special'],
  range: number,
  vpn: number,
  count: number,
  level: number,
  format: SwapFormat,
  low: number,
  high: number,
): void {
  const entry = format.decode(low, high)
  if (!('pfn' in entry) || special.size > MOST_SPECIAL) return
  const kind =
    entry.kind === 'migration'
      ? 'migrating'
      : entry.kind === 'hwpoison'
        ? 'poisoned'
        : 'device-private'
  const inEntry = vpn % 512 ** (level - 1)
  for (let page = 0; page < count; page++) {
    const pfn = entry.pfn + inEntry + page
    const known = special.get(pfn)
    const one = { range, vpn: vpn + page, kind } as const
    if (known === undefined) special.set(pfn, [one])
    else known.push(one)
  }
}
