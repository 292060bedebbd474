// SPDX-License-Identifier: GPL-2.0-or-later
// Frames that several pages of guests share, by who shares them, and how much memory that saves.

import { DumpError } from '../errors.ts'
import { type Vm } from '../kvm/vm.ts'
import { withProgress } from '../progress.ts'
import { type WayBack } from './wayback.ts'

/** Why frames are shared. `zero`: the page of zeros, of memory that was only read. `other`: one memory mapped twice. */
export type SharingKind = 'ksm' | 'zero' | 'other'

/** Frames that the same guests share for the same reason. */
export interface SharedGroup {
  readonly kind: SharingKind
  /** The guests, in the order of `dump.vms`; one alone shares pages with itself. */
  readonly vms: readonly Vm[]
  readonly frames: number
  /** Pages of guests that have these frames. */
  readonly pages: number
  /** What these pages would take in frames of their own, less what they take, in bytes. */
  readonly savedBytes: number
}

/** Frames that guests share. */
export interface SharedFrames {
  /** Most saved bytes first. */
  readonly groups: readonly SharedGroup[]
  readonly frames: number
  readonly pages: number
  readonly savedBytes: number
  /** What could not be read, so that there may be more; empty for a whole dump. */
  readonly remarks: readonly string[]
}

/** Frames between two words of progress. */
const STEP = 4096
const LARGE = 512

/**
 * The frames that more than one page of the guests has. One page that two memslots show counts once. Frames of zeros save
 * memory only until the guest writes.
 */
export function sharedFrames(back: WayBack): SharedFrames {
  const { guests } = back
  const groups = new Map<
    string,
    { kind: SharingKind; vms: number[]; frames: number; pages: number }
  >()
  const work = { label: 'comparing the frames of the guests', unit: 'frames' }
  withProgress(work, (advance) => {
    let untold = 0
    for (const { frame, isLarge, count } of guests.frames.frames()) {
      if (++untold === STEP) {
        advance(untold)
        untold = 0
      }
      if (count < 2) continue
      const found = new Set<string>()
      const vms = new Set<number>()
      for (const { range, vpn } of guests.frames.all(frame)) {
        const run = guests.runs[range]
        if (run === undefined) continue
        found.add(`${run.vm.mmAddress} ${vpn}`)
        vms.add(run.vmNumber)
      }
      if (found.size < 2) continue
      const kind = kindOf(back, frame)
      const numbers = [...vms].sort((a, b) => a - b)
      const key = `${kind} ${numbers.join(' ')}`
      const group = groups.get(key) ?? { kind, vms: numbers, frames: 0, pages: 0 }
      group.frames += isLarge ? LARGE : 1
      group.pages += found.size * (isLarge ? LARGE : 1)
      groups.set(key, group)
    }
    advance(untold)
  })
  const list = [...groups.values()].map((group) => ({
    ...group,
    vms: group.vms.flatMap((number) => guests.vms[number] ?? []),
    savedBytes: (group.pages - group.frames) * 4096,
  }))
  const sum = (of: (group: SharedGroup) => number) => list.reduce((all, one) => all + of(one), 0)
  return Object.freeze({
    groups: Object.freeze(list.sort((a, b) => b.savedBytes - a.savedBytes)),
    frames: sum(({ frames }) => frames),
    pages: sum(({ pages }) => pages),
    savedBytes: sum(({ savedBytes }) => savedBytes),
    remarks: guests.remarks,
  })
}

function kindOf({ linux }: WayBack, frame: number): SharingKind {
  if (linux.pages.isZero(frame)) return 'zero'
  try {
    return linux.pages.find(frame)?.use === 'ksm' ? 'ksm' : 'other'
  } catch (error) {
    if (!(error instanceof DumpError)) throw error
    return 'other'
  }
}
