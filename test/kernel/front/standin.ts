// SPDX-License-Identifier: GPL-2.0-or-later
// A small core for tests of the kernel: the names that cells have, without a dump behind them.

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
