// SPDX-License-Identifier: GPL-2.0-or-later
// Fills a table of the way back: two looks into the indexes for each address.

import { type Addresses, addressColumn } from '../bulk/input.ts'
import { NO_ADDRESS } from '../bulk/states.ts'
import { wordsOf } from '../bytes/words.ts'
import { withProgress } from '../progress.ts'
import { NOT_KNOWN } from './kernelkinds.ts'
import { kindCode } from './kinds.ts'
import { type OwnerColumns, OwnerTable } from './ownertable.ts'
import { type WayBack } from './wayback.ts'

/** Rows between two words of progress while struct pages are read. */
const ROWS_A_STEP = 1 << 13
/** Rows whose frames are put in order together. */
const ROWS_A_GROUP = 1 << 20
/** Frames are put in order by so many places. */
const PLACES = 1 << 16
/** In the column of kinds, until it is filled: the kind is to be looked up. */
const LATER = 0xff

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
    index: new Uint32Array(length),
  }
  const fill = filler(back, columns)
  const work = { label: `finding who has ${length} addresses`, unit: 'addresses', total: length }
  withProgress(work, (advance) => {
    for (let from = 0; from < length; from += ROWS_A_GROUP) {
      const to = Math.min(length, from + ROWS_A_GROUP)
      let later = 0
      for (let i = from; i < to; i++) later += fill(i) ? 0 : 1
      advance(to - from - later)
      if (later > 0) fillLater(back, columns, from, to, later, advance)
    }
  })
  return new OwnerTable(back, columns)
}

/**
 * Fills the rows whose frames' kinds are to be looked up. The frames are taken in ascending order: so each page of
 * struct page is read and unpacked once, and the file is read from front to back.
 */
function fillLater(
  { kernelKinds, endPfn }: WayBack,
  { hpa, kind }: OwnerColumns,
  from: number,
  to: number,
  count: number,
  advance: (count: number) => void,
): void {
  const words = wordsOf(hpa)
  const unordered = new Float64Array(count)
  let at = 0
  for (let i = from; i < to; i++) if (kind[i] === LATER) unordered[at++] = pfnOf(words, i)
  const pfns = inOrder(unordered, endPfn)
  for (let done = 0; done < count; done += ROWS_A_STEP) {
    const end = Math.min(count, done + ROWS_A_STEP)
    for (let i = done; i < end; i++) kernelKinds.code(pfns[i] ?? 0)
    advance(end - done)
  }
  for (let i = from; i < to; i++) {
    if (kind[i] === LATER) kind[i] = kernelKinds.code(pfnOf(words, i))
  }
}

/**
 * Frames in ascending order, but for those that are near each other: several times as fast as a full sort. Of a host of
 * 1 TiB, what lies in 64 pages of struct page counts as near.
 */
function inOrder(pfns: Float64Array, endPfn: number): Float64Array {
  const near = Math.max(1, Math.ceil(endPfn / PLACES))
  const starts = new Uint32Array(PLACES + 2)
  const placeOf = (pfn: number) => Math.min(Math.floor(pfn / near), PLACES)
  for (const pfn of pfns) {
    const next = placeOf(pfn) + 1
    starts[next] = (starts[next] ?? 0) + 1
  }
  for (let place = 1; place <= PLACES; place++) {
    starts[place] = (starts[place] ?? 0) + (starts[place - 1] ?? 0)
  }
  const ordered = new Float64Array(pfns.length)
  for (const pfn of pfns) {
    const place = placeOf(pfn)
    const at = starts[place] ?? 0
    ordered[at] = pfn
    starts[place] = at + 1
  }
  return ordered
}

function pfnOf(words: Uint32Array, i: number): number {
  return (words[2 * i + 1] ?? 0) * 2 ** 20 + ((words[2 * i] ?? 0) >>> 12)
}

/**
 * Fills a row; false when the kind of its frame is to be looked up. No bigint is made in it: addresses are written as
 * halves.
 */
function filler(back: WayBack, columns: OwnerColumns): (i: number) => boolean {
  const { guests, processes, kernelKinds } = back
  const { pages } = back.linux
  const { kind, vm, slot, pid, owners, index } = columns
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
    index[i] = i
    if ((words[2 * i + 1] ?? 0) >= 2 ** 20) {
      kind[i] = invalid
      return true
    }
    const pfn = pfnOf(words, i)
    const byte = (words[2 * i] ?? 0) & 0xfff
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
      const code = kernelKinds.known(pfn)
      kind[i] = code === NOT_KNOWN ? LATER : code
      return code !== NOT_KNOWN
    }
    if (pages.isZero(pfn)) kind[i] = zero
    return true
  }
}
