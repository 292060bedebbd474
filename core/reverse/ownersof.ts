// SPDX-License-Identifier: GPL-2.0-or-later
// Fills a table of the way back: two looks into the indexes for each address.

import { type Addresses, addressColumn } from '../bulk/input.ts'
import { NO_ADDRESS } from '../bulk/states.ts'
import { wordsOf } from '../bytes/words.ts'
import { withProgress } from '../progress.ts'
import { kindCode } from './kinds.ts'
import { type OwnerColumns, OwnerTable } from './ownertable.ts'
import { type WayBack } from './wayback.ts'

/** Rows between two words of progress. */
const ROWS_A_STEP = 1 << 16

/** Who has the frames of many host physical addresses. */
export function ownersOf(back: WayBack, hpas: Addresses, call: string): OwnerTable {
  const hpa = addressColumn(hpas, call)
  const { length } = hpa
  const columns: OwnerColumns = {
    hpa,
    kind: new Uint8Array(length),
    vm: new Int16Array(length).fill(-1),
    gpa: new BigUint64Array(length).fill(NO_ADDRESS),
    slot: new Int16Array(length).fill(-1),
    pid: new Int32Array(length).fill(-1),
    hva: new BigUint64Array(length).fill(NO_ADDRESS),
    owners: new Uint32Array(length),
    index: Uint32Array.from(hpa.keys()),
  }
  const fill = filler(back, columns)
  const work = { label: `finding who has ${length} addresses`, unit: 'addresses', total: length }
  withProgress(work, (advance) => {
    for (let from = 0; from < length; from += ROWS_A_STEP) {
      const to = Math.min(length, from + ROWS_A_STEP)
      for (let i = from; i < to; i++) fill(i)
      advance(to - from)
    }
  })
  return new OwnerTable(back, columns)
}

/** Fills a row. No bigint is made in it: addresses are written as halves. */
function filler(back: WayBack, columns: OwnerColumns): (i: number) => void {
  const { guests, processes, kernelKinds } = back
  const { pages } = back.linux
  const { kind, vm, slot, pid, owners } = columns
  const [words, gpa, hva] = [wordsOf(columns.hpa), wordsOf(columns.gpa), wordsOf(columns.hva)]
  const pids = guests.vms.map(({ task }) => task?.pid ?? -1)
  const invalid = kindCode('invalid')
  const zero = kindCode('zero')
  const process = kindCode('process')
  const specials = (notes: typeof guests.special, pfn: number) =>
    notes.size === 0 ? undefined : notes.get(pfn)
  const put = (column: Uint32Array, i: number, page: number, byte: number) => {
    column[2 * i] = (page % 2 ** 20) * 4096 + byte
    column[2 * i + 1] = page / 2 ** 20
  }
  return (i) => {
    const low = words[2 * i] ?? 0
    const high = words[2 * i + 1] ?? 0
    if (high >= 2 ** 20) {
      kind[i] = invalid
      return
    }
    const pfn = high * 2 ** 20 + (low >>> 12)
    const byte = low & 0xfff
    const special = specials(guests.special, pfn)
    const inGuests = guests.frames.look(pfn)
    const other = specials(processes.special, pfn)
    const inProcesses = processes.frames.look(pfn)
    owners[i] = inGuests + inProcesses + (special?.length ?? 0) + (other?.length ?? 0)
    const isMapped = inGuests > 0
    const run = guests.runs[isMapped ? guests.frames.foundRange : (special?.[0]?.range ?? -1)]
    if (run !== undefined) {
      const vpn = isMapped ? guests.frames.foundVpn : (special?.[0]?.vpn ?? 0)
      vm[i] = run.vmNumber
      slot[i] = run.slot.id
      pid[i] = pids[run.vmNumber] ?? -1
      put(gpa, i, vpn - run.vpn + run.gfn, byte)
      put(hva, i, vpn, byte)
    } else if (inProcesses > 0 || other !== undefined) {
      const isFound = inProcesses > 0
      const number = isFound ? processes.frames.foundRange : (other?.[0]?.range ?? -1)
      const vpn = isFound ? processes.frames.foundVpn : (other?.[0]?.vpn ?? 0)
      kind[i] = process
      pid[i] = processes.tasks[number]?.pid ?? -1
      put(hva, i, vpn, byte)
    } else {
      kind[i] = kernelKinds.code(pfn)
      return
    }
    if (pages.isZero(pfn)) kind[i] = zero
  }
}
