// SPDX-License-Identifier: GPL-2.0-or-later
// Counts what became of pages, out of the translations of both sides, and keeps the first that differ.

import { MAPPED, type RowState, stateNames } from '../bulk/states.ts'
import { type TranslationTable } from '../bulk/table.ts'
import { wordsOf } from '../bytes/words.ts'
import { type Vm } from '../kvm/vm.ts'
import {
  type Change,
  type ChangedPage,
  changes,
  type Comparison,
  type SideState,
} from './comparison.ts'

/** Page shifts are below this. */
const SHIFTS = 32

/** The counters of one comparison. Only pages that are listed become objects. */
export class Tally {
  readonly #vms: readonly [first: Vm, second: Vm]
  readonly #most: number
  readonly #byCode = new Float64Array(changes.length)
  /** By state and page shift. */
  readonly #sides = [new Float64Array(16 * SHIFTS), new Float64Array(16 * SHIFTS)] as const
  readonly #changed: ChangedPage[] = []
  #pages = 0
  #differ = 0

  /** Of the pages that differ, `most` are listed. */
  constructor(first: Vm, second: Vm, most: number) {
    this.#vms = [first, second]
    this.#most = most
  }

  /** Counts pages: the same addresses, translated on both sides. */
  add(a: TranslationTable, b: TranslationTable): void {
    const [here, there] = this.#sides
    const isSame = sameFrames(a, b)
    const length = a.length
    for (let i = 0; i < length; i++) {
      const one = a.state[i] ?? 0
      const two = b.state[i] ?? 0
      const from = SHIFTS * one + (a.pageShift[i] ?? 0)
      const to = SHIFTS * two + (b.pageShift[i] ?? 0)
      here[from] = (here[from] ?? 0) + 1
      there[to] = (there[to] ?? 0) + 1
      const isKept = one === two && one === MAPPED && isSame(i)
      const code = isKept ? SAME : (codes[16 * one + two] ?? OTHER)
      this.#byCode[code] = (this.#byCode[code] ?? 0) + 1
      if (code !== SAME && ++this.#differ <= this.#most) {
        this.#changed.push(pageOf(a, b, i, changes[code] ?? 'other'))
      }
    }
    this.#pages += length
  }

  /** What was counted. */
  comparison(): Comparison {
    const [here, there] = this.#sides
    const states = stateNames.flatMap((state, code) =>
      Array.from({ length: SHIFTS }, (_, i): SideState => {
        const shift = SHIFTS - 1 - i
        const at = SHIFTS * code + shift
        const pageSize = shift === 0 ? null : 2 ** shift
        return { state, pageSize, pages: [here[at] ?? 0, there[at] ?? 0] }
      }).filter(({ pages: [one, two] }) => one + two > 0),
    )
    const counts = Object.fromEntries(
      changes.map((change, code) => [change, this.#byCode[code] ?? 0]),
    ) as Record<Change, number>
    const isCut = this.#differ > this.#most
    return Object.freeze({
      ...{ vms: this.#vms, pages: this.#pages, counts, states },
      ...{ changed: this.#changed, isCut },
    })
  }
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
