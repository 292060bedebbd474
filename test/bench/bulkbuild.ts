// SPDX-License-Identifier: GPL-2.0-or-later
// How long the page tables of a large guest take to be read out of a compressed dump, alone and with threads.
// Run by itself in a process of its own: arguments are the file and its GiB. Prints the two times in seconds.

import { runColumns, newColumns } from '../../core/bulk/run.ts'
import { type PageSource } from '../../core/dump/format.ts'
import { openPages } from '../../core/dump/open.ts'
import { largeGuestEngine, withoutAhead } from '../build/largeguest.ts'

const TURNS = 3
const [path = '', size = ''] = process.argv.slice(2)
const gib = Number(size)

/** One address in each 2 MiB: each has a table to be read. */
function timeOf(source: PageSource): number {
  const engine = largeGuestEngine(source, gib)
  const gpa = BigUint64Array.from({ length: gib * 512 }, (_, i) => BigInt(i) << 21n)
  const start = performance.now()
  runColumns(engine, newColumns(gpa), 'reading page tables')
  const seconds = (performance.now() - start) / 1000
  source.close()
  if (engine.mapping.built !== gib * 512)
    throw new Error(`${engine.mapping.built} regions were read`)
  return seconds
}

let alone = Infinity
let together = Infinity
for (let turn = 0; turn < TURNS; turn++) {
  alone = Math.min(alone, timeOf(withoutAhead(openPages(path))))
  together = Math.min(together, timeOf(openPages(path)))
}
process.stdout.write(`${alone.toFixed(2)} ${together.toFixed(2)}\n`)
