// SPDX-License-Identifier: GPL-2.0-or-later
// Batches of addresses to tables, one after the other, and what has to happen when that is cut short.
import { setImmediate } from 'node:timers/promises'
import {
  type AddressBatch,
  formatSize,
  qemuVtop,
  type TableWriter,
  type TranslationTable,
  type Vm,
} from '../../core/index.ts'
import { type BadLines } from './badlines.ts'
import { exitCode } from './verb.ts'

/** Translates batches as they come. */
export async function* translated(
  vm: Vm,
  batches: AsyncIterable<AddressBatch> | Iterable<AddressBatch>,
  bad: BadLines,
): AsyncGenerator<TranslationTable> {
  for await (const batch of batches) {
    bad.tell(batch.bad)
    yield qemuVtop(vm, batch.gpas)
    // Nothing else on the way may let a signal through: files are written at once.
    await setImmediate()
  }
}

/** Does `work`; when it fails, or the user stops it, the file that is being written is removed. */
export async function removing(writer: TableWriter, work: () => Promise<void>): Promise<void> {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const stop = (): void => {
    writer.abandon()
    process.stderr.write(process.stderr.isTTY ? '\r\x1b[Kinterrupted\n' : 'interrupted\n')
    process.exit(exitCode.interrupted)
  }
  for (const signal of signals) process.on(signal, stop)
  try {
    await work()
  } catch (error) {
    writer.abandon()
    throw error
  } finally {
    for (const signal of signals) process.removeListener(signal, stop)
  }
}

/** Counts rows by state. */
export class Tally {
  rows = 0
  readonly #states = new Map<string, number>()

  add(table: TranslationTable): void {
    this.rows += table.length
    for (const [state, count] of Object.entries(table.states)) {
      this.#states.set(state, (this.#states.get(state) ?? 0) + count)
    }
  }

  /** `1,000 rows, 3.2 KiB: mapped 900, unmapped 100`. */
  text(bytes: number): string {
    const states = Array.from(
      this.#states,
      ([state, count]) => `${state} ${count.toLocaleString('en')}`,
    )
    const what = states.length === 0 ? '' : `: ${states.join(', ')}`
    return `${this.rows.toLocaleString('en')} rows, ${formatSize(bytes)}${what}`
  }
}
