// SPDX-License-Identifier: GPL-2.0-or-later
// Two guests, or one guest in two dumps, page by page: what moved, came, went or was swapped.

import { UnfinishedError } from '../bulk/unfinished.ts'
import { translateAll } from '../bulk/vtop.ts'
import { wordsOf } from '../bytes/words.ts'
import { UsageError } from '../errors.ts'
import { Vm } from '../kvm/vm.ts'
import { withProgress } from '../progress.ts'
import { type Comparison } from './comparison.ts'
import { Tally } from './tally.ts'
import { UnfinishedComparisonError } from './unfinished.ts'

/** Options of `compare`. */
export interface CompareOptions {
  /** So many changed pages are listed at most: 100,000 if it is not said. All are counted. */
  readonly mostChanged?: number
}

/**
 * Pages that are translated at once: few enough that their columns stay in the processor's cache, which takes half the
 * time and memory of a million.
 */
const STEP = 1 << 16

/**
 * Compares the memory of two guests by gpa: of one host, or the same guest in two dumps of it (the frames of two hosts
 * say nothing about each other). Of the same dump, `same` pages that are mapped share a frame. What ends it in the
 * middle is thrown as an UnfinishedComparisonError, with the pages that are done.
 */
export function compare(first: Vm, second: Vm, options: CompareOptions = {}): Comparison {
  for (const [i, vm] of [first, second].entries()) {
    const given: unknown = vm
    if (given instanceof Vm) continue
    throw new UsageError(
      `compare(first, second): argument ${i + 1} is no virtual machine; wanted dump.vm('web01')`,
    )
  }
  const tally = new Tally(first, second, options.mostChanged ?? 100_000)
  const ranges = union(first, second)
  const total = ranges.reduce((sum, [from, to]) => sum + to - from, 0)
  let at = 0
  try {
    withProgress({ label: 'comparing two guests', unit: 'pages', total }, (advance) => {
      for (const [from, to] of ranges) {
        for (let gfn = from; gfn < to; gfn += STEP) {
          at = gfn
          const gpas = pagesFrom(gfn, Math.min(STEP, to - gfn))
          tally.add(
            translateAll(first, gpas, 'compare(first, second)'),
            translateAll(second, gpas, 'compare(first, second)'),
          )
          at = gfn + gpas.length
          advance(gpas.length)
        }
      }
    })
  } catch (error) {
    const cause = error instanceof UnfinishedError ? error.cause : error
    const done = tally.comparison()
    if (done.pages === 0) throw cause
    throw new UnfinishedComparisonError(done, total, at * 4096, cause)
  }
  return tally.comparison()
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
