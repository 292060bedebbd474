// SPDX-License-Identifier: GPL-2.0-or-later
// `qemu-vtop translate`, whole processes: addresses from an Arrow file to a file of each format.

import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { qemuVtop, writeTable, type Vm } from '../../core/index.ts'
import { measureNode } from './process.ts'

const command = 'dist/kernel/command/main.js'
const RUNS = 3

/** One format: the median of the wall time in seconds, the peak memory in MB, the file in MB. */
export interface FileRun {
  readonly format: string
  readonly seconds: number
  readonly peak: number
  readonly size: number
}

/** Translates the addresses to each format; the time to start and to open the dump is in it. */
export async function translatedFiles(
  vm: Vm,
  dump: string,
  gpas: BigUint64Array,
  folder: string,
): Promise<FileRun[]> {
  const input = join(folder, 'in.arrow')
  await writeTable(qemuVtop(vm, gpas), input)
  const pid = String(vm.task?.pid ?? '')
  const runs = ['arrow', 'csv', 'jsonl', 'parquet'].map((format): FileRun => {
    const out = join(folder, `out.${format}`)
    const files = ['--in', input, '--out', out, '--format', format, '--force']
    const { wall, peak } = measureNode(command, ['translate', dump, '-g', pid, ...files], RUNS)
    const size = statSync(out).size / 1e6
    rmSync(out)
    return { format, seconds: wall[1], peak, size }
  })
  rmSync(input)
  return runs
}
