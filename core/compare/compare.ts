// SPDX-License-Identifier: GPL-2.0-or-later
// Two guests, or one guest in two dumps, page by page: what moved, came, went or was swapped.

import { MAPPED, type RowState, stateNames } from '../bulk/states.ts'
import { type TranslationTable } from '../bulk/table.ts'
import { translateAll } from '../bulk/vtop.ts'
import { wordsOf } from '../bytes/words.ts'
import { UsageError } from '../errors.ts'
import { Vm } from '../kvm/vm.ts'
import { withProgress } from '../progress.ts'

/**
 * What became of a page from the first to the second. `same`: the same frame, or the same state without one. `moved`:
 * another frame. `appeared`, `went`: mapped in one only, and not swapped in the other. `swapped out`, `swapped in`.
 * `new slot`, `no slot`: only one of them has memory there. `other`: any other change of state, and every page of which
 * either dump lacks what tells.
 */
export type Change =
  | 'same'
  | 'moved'
  | 'appeared'
  | 'went'
  | 'swapped out'
  | 'swapped in'
  | 'new slot'
  | 'no slot'
  | 'other'

/** The changes in the order of their codes. */
export const changes: readonly Change[] = Object.freeze([
  ...(['same', 'moved', 'appeared', 'went', 'swapped out', 'swapped in'] as const),
  ...(['new slot', 'no slot', 'other'] as const),
])

/** Pages of each side in one state, those that are mapped by the size of the host's page. */
export interface SideState {
  readonly state: RowState
  /** In bytes: 4096, 2 MiB, 1 GiB; null for what is not mapped. */
  readonly pageSize: number | null
  readonly pages: readonly [first: number, second: number]
}

/** A page that differs. */
export interface ChangedPage {
  readonly gpa: number
  readonly change: Change
  readonly hpa: readonly [first: bigint | null, second: bigint | null]
  readonly states: readonly [first: RowState, second: RowState]
}

/** How two guests differ. Immutable. */
export interface Comparison {
  readonly vms: readonly [first: Vm, second: Vm]
  /** Pages of 4 KiB that either has memory for. */
  readonly pages: number
  /** Pages by what became of them; changes that do not occur have 0. */
  readonly counts: Readonly<Record<Change, number>>
  /** Pages by state and page size, on both sides; what occurs on neither is left out. Mapped ones first, large to small. */
  readonly states: readonly SideState[]
  /** Pages that differ, by gpa; only the first `mostChanged`. */
  readonly changed: readonly ChangedPage[]
  /** True when there are more than `changed` has. */
  readonly isCut: boolean
}

/** Options of `compare`. */
export interface CompareOptions {
  /** So many changed pages are listed at most: 100,000 if it is not said. All are counted. */
  readonly mostChanged?: number
}

/** Pages that are translated at once. */
const STEP = 1 << 20
/** Page shifts are below this. */
const SHIFTS = 32

/**
 * Compares the memory of two guests by gpa: of one host, or the same guest in two dumps of it (the frames of two hosts
 * say nothing about each other). Of the same dump, `same` pages that are mapped share a frame.
 */
export function compare(first: Vm, second: Vm, options: CompareOptions = {}): Comparison {
  for (const [i, vm] of [first, second].entries()) {
    const given: unknown = vm
    if (given instanceof Vm) continue
    throw new UsageError(
      `compare(first, second): argument ${i + 1} is no virtual machine; wanted dump.vm('web01')`,
    )
  }
  const most = options.mostChanged ?? 100_000
  const byCode = new Float64Array(changes.length)
  const sides = [new Float64Array(16 * SHIFTS), new Float64Array(16 * SHIFTS)] as const
  const changed: ChangedPage[] = []
  const ranges = union(first, second)
  const pages = ranges.reduce((sum, [from, to]) => sum + to - from, 0)
  let differ = 0
  const work = { label: 'comparing two guests', unit: 'pages', total: pages }
  withProgress(work, (advance) => {
    for (const [from, to] of ranges) {
      for (let gfn = from; gfn < to; gfn += STEP) {
        const gpas = pagesFrom(gfn, Math.min(STEP, to - gfn))
        const tables = [first, second].map((vm) => translateAll(vm, gpas, 'compare(first, second)'))
        const [a, b] = tables
        if (a === undefined || b === undefined) return
        const isSame = sameFrames(a, b)
        for (let i = 0; i < gpas.length; i++) {
          const [one, two] = [a.state[i] ?? 0, b.state[i] ?? 0]
          const here = SHIFTS * one + (a.pageShift[i] ?? 0)
          const there = SHIFTS * two + (b.pageShift[i] ?? 0)
          sides[0][here] = (sides[0][here] ?? 0) + 1
          sides[1][there] = (sides[1][there] ?? 0) + 1
          const code = one === two && one === MAPPED && isSame(i) ? SAME : codes[16 * one + two]
          byCode[code ?? OTHER] = (byCode[code ?? OTHER] ?? 0) + 1
          if (code === SAME || ++differ > most) continue
          changed.push(pageOf(a, b, i, changes[code ?? OTHER] ?? 'other'))
        }
        advance(gpas.length)
      }
    }
  })
  const states = stateNames.flatMap((state, code) =>
    Array.from({ length: SHIFTS }, (_, i): SideState => {
      const shift = SHIFTS - 1 - i
      const at = SHIFTS * code + shift
      const pageSize = shift === 0 ? null : 2 ** shift
      return { state, pageSize, pages: [sides[0][at] ?? 0, sides[1][at] ?? 0] }
    }).filter(({ pages: [one, two] }) => one + two > 0),
  )
  const counts = Object.fromEntries(
    changes.map((change, code) => [change, byCode[code] ?? 0]),
  ) as Record<Change, number>
  const vms = [first, second] as const
  return Object.freeze({ vms, pages, counts, states, changed, isCut: differ > most })
}

/** The guest physical addresses of pages that follow each other. */
function pagesFrom(gfn: number, count: number): BigUint64Array {
  const gpas = new BigUint64Array(count)
  const words = wordsOf(gpas)
  for (let i = 0; i < count; i++) {
    words[2 * i] = (gfn + i) * 4096
    words[2 * i + 1] = (gfn + i) / 2 ** 20
  }
  return gpas
}

/** Whether a row has the same frame in both. */
function sameFrames(a: TranslationTable, b: TranslationTable): (i: number) => boolean {
  const [one, two] = [wordsOf(a.hpa), wordsOf(b.hpa)]
  return (i) => one[2 * i] === two[2 * i] && one[2 * i + 1] === two[2 * i + 1]
}

const SAME = changes.indexOf('same')
const OTHER = changes.indexOf('other')
/** The change of a page that is not the same, by 16 times the first state and the second. */
const codes = Uint8Array.from({ length: 256 }, (_, pair) => {
  const [before, after] = [stateNames[pair >>> 4], stateNames[pair & 15]]
  return changes.indexOf(changeOf(before, after))
})

function changeOf(before: RowState | undefined, after: RowState | undefined): Change {
  if (before === 'not-in-dump' || after === 'not-in-dump') return 'other'
  if (before === after) return before === 'mapped' ? 'moved' : 'same'
  if (before === 'no-slot') return 'new slot'
  if (after === 'no-slot') return 'no slot'
  if (after === 'mapped') return before === 'swapped' ? 'swapped in' : 'appeared'
  if (before === 'mapped') return after === 'swapped' ? 'swapped out' : 'went'
  return 'other'
}

function pageOf(a: TranslationTable, b: TranslationTable, i: number, change: Change): ChangedPage {
  const [one, two] = [a.row(i), b.row(i)]
  return {
    gpa: Number(a.gpa[i]),
    change,
    hpa: [one?.hpa ?? null, two?.hpa ?? null],
    states: [one?.state ?? 'invalid', two?.state ?? 'invalid'],
  }
}

/** The guest frames that either has a memslot of address space 0 for, as ranges in ascending order. */
function union(first: Vm, second: Vm): [from: number, to: number][] {
  const slots = [first, second]
    .flatMap((vm) =>
      vm.memslots.filter(({ addressSpace, invalid }) => addressSpace === 0 && !invalid),
    )
    .sort((a, b) => a.baseGfn - b.baseGfn)
  const ranges: [number, number][] = []
  for (const { baseGfn, npages } of slots) {
    const last = ranges.at(-1)
    if (last !== undefined && baseGfn <= last[1]) last[1] = Math.max(last[1], baseGfn + npages)
    else ranges.push([baseGfn, baseGfn + npages])
  }
  return ranges
}
