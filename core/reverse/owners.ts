// SPDX-License-Identifier: GPL-2.0-or-later
// Who has a frame: guests and processes, by the indexes, and the pages whose swap entry a frame of the swap cache has.

import { hex } from '../bytes/hex.ts'
import { ifThere } from '../errors.ts'
import { scan } from '../paging/scan.ts'
import { withProgress } from '../progress.ts'
import { type GuestOwner, type Holding, type ProcessOwner } from './frame.ts'
import { gpaOf, type GuestRun } from './guestframes.ts'
import { type WayBack } from './wayback.ts'

/** The guests' pages that have a frame; `offset` is the byte in the page. */
export function guestOwners({ guests }: WayBack, pfn: number, offset: number): GuestOwner[] {
  const mapped = guests.frames.all(pfn).map((page) => ({ ...page, kind: 'mapped' as const }))
  return [...mapped, ...(guests.special.get(pfn) ?? [])].flatMap(({ range, vpn, kind }) => {
    const run = guests.runs[range]
    return run === undefined ? [] : [guestOwner(run, vpn, offset, kind)]
  })
}

/** The processes' pages that have a frame. VMAs are looked up for the first hundred. */
export function processOwners(back: WayBack, pfn: number, offset: number): ProcessOwner[] {
  const { frames, special, tasks } = back.processes
  const mapped = frames.all(pfn).map((page) => ({ ...page, kind: 'mapped' as const }))
  const all = [...mapped, ...(special.get(pfn) ?? [])]
  return all.flatMap(({ range, vpn, kind }, i) => {
    const task = tasks[range]
    if (task === undefined) return []
    const hva = BigInt(vpn) * 4096n + BigInt(offset)
    const find = () => back.linux.vmas.find(task.mmAddress, hva) ?? null
    const vma = i < MOST_VMAS ? ifThere(find) : null
    return [{ task, hva, holding: kind, vma: vma instanceof Error ? null : vma }]
  })
}

const MOST_VMAS = 100
/** So many page-table entries are read between two words of progress. */
const ENTRIES_A_STEP = 1 << 14

/**
 * The guests' pages whose page-table entries have a swap entry. Reads the page tables of all guests again. Shared memory
 * keeps its swap entries elsewhere, so there may be none.
 */
export function swappedOwners(
  { guests, linux }: WayBack,
  type: number,
  offset: number,
  byte: number,
): GuestOwner[] {
  const { format } = linux.swap
  const found: GuestOwner[] = []
  const visit = (run: GuestRun, vpn: number, level: number, low: number, high: number): void => {
    if (format.kindOf(low, high) !== 'swap') return
    const entry = format.decode(low, high)
    if (entry.kind !== 'swap' || entry.type !== type) return
    // An entry for a large page stands for all of its pages, which follow each other on the device.
    const page = offset - entry.offset
    if (page < 0 || page >= 512 ** (level - 1)) return
    found.push(guestOwner(run, vpn - (vpn % 512 ** (level - 1)) + page, byte, 'swapped'))
  }
  const total = guests.runs.reduce((sum, { count }) => sum + count, 0)
  const work = { label: "looking for a swap entry in the guests' tables", unit: 'pages', total }
  withProgress(work, (advance) => {
    for (const run of guests.runs) {
      let untold = 0
      let entries = 0
      ifThere(() => {
        const { memory, rules, root } = run.vm.userSpace
        scan(
          memory,
          rules,
          root,
          run.vpn,
          run.count,
          (vpn, count, kind, level, _frame, low, high) => {
            if (kind === 'swap') visit(run, vpn, level, low, high)
            untold += count
            if (++entries % ENTRIES_A_STEP !== 0) return
            advance(untold)
            untold = 0
          },
        )
      })
      advance(untold)
    }
  })
  return found
}

/** `gpa 0x1000 of A (slot 3)`. */
export function describeGuestOwner({ vm, gpa, slot, addressSpace }: GuestOwner): string {
  const who = vm.name ?? `pid ${vm.task?.pid ?? 'gone'}`
  const smm = addressSpace === 0 ? '' : ', in system management mode'
  return `gpa ${hex(gpa)} of ${who} (slot ${slot.id}${smm})`
}

function guestOwner(run: GuestRun, vpn: number, offset: number, holding: Holding): GuestOwner {
  return {
    vm: run.vm,
    gpa: gpaOf(run, vpn) + offset,
    addressSpace: run.slot.addressSpace,
    slot: run.slot,
    hva: BigInt(vpn) * 4096n + BigInt(offset),
    holding,
  }
}
