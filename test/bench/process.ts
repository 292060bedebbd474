// SPDX-License-Identifier: GPL-2.0-or-later
// Whole processes, measured from outside: wall time and peak memory, as medians over several runs.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../place.ts'

/** What one command took, over its runs. */
export interface Measured {
  /** Seconds from start to exit: smallest, median, largest. */
  readonly wall: readonly [number, number, number]
  /** The median of the peak resident memory in MB. */
  readonly peak: number
  /** What the last run printed. */
  readonly output: string
}

/** Runs `node SCRIPT ARGS` once to warm the file cache, then `runs` times. Throws when a run fails. */
export function measureNode(script: string, args: readonly string[], runs = 5): Measured {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  const peakFile = join(folder, 'peak')
  const walls: number[] = []
  const peaks: number[] = []
  let output = ''
  try {
    for (let run = -1; run < runs; run++) {
      const start = performance.now()
      const done = spawnSync(
        process.execPath,
        ['--import', join(root, 'dist/test/bench/peak.js'), join(root, script), ...args],
        { encoding: 'utf8', env: { ...process.env, PEAK_FILE: peakFile } },
      )
      const wall = (performance.now() - start) / 1000
      if (done.status !== 0) throw new Error(`${script} ended with ${done.status}: ${done.stderr}`)
      output = done.stdout
      if (run < 0) continue
      walls.push(wall)
      peaks.push(Number(readFileSync(peakFile, 'utf8')) / 1000)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  walls.sort((a, b) => a - b)
  return { wall: [walls[0] ?? 0, median(walls), walls.at(-1) ?? 0], peak: median(peaks), output }
}

/** The median of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? NaN
}
