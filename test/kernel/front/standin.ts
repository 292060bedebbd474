// SPDX-License-Identifier: GPL-2.0-or-later
// A small core for tests of the kernel: the names that cells have, without a dump behind them.
import { type Work, type WorkDisplay } from '../../../core/index.ts'

/** What `openDump` gives here. */
export interface StandInDump {
  readonly path: string
  readonly pids: readonly number[]
}

/** Opens nothing, and says which path it was given. */
export function openDump(path: string): StandInDump {
  return { path, pids: [1, 2] }
}

/** Adds an offset to a guest physical address. */
export function qemuVtop(dump: StandInDump, gpa: bigint): bigint {
  return gpa + BigInt(dump.pids.length)
}

/** Walks nowhere. */
export function pagewalk(): string[] {
  return []
}

/** Calls nobody: what is opened here has no types of its own. */
export function onOpen(): void {
  return
}

let show: ((work: Work) => WorkDisplay) | undefined

/** As core's own: whoever shows the work of `hvaToHpa`. */
export function onProgress(listener: (work: Work) => WorkDisplay): void {
  show = listener
}

/** Counts a hundred pages, and takes `ms` for it. */
export function hvaToHpa(ms: number): number {
  const shown = show?.({ label: 'counting web01', unit: 'pages', total: 100 })
  for (let page = 0; page < 100; page++) {
    const end = performance.now() + ms / 100
    while (performance.now() < end);
    shown?.advance(1)
  }
  shown?.finish()
  return 100
}
