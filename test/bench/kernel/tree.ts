// SPDX-License-Identifier: GPL-2.0-or-later
// The processes below one process with their memory and CPU time, from Linux's /proc.
import { readdirSync, readFileSync } from 'node:fs'

/** One process. */
export interface Process {
  readonly pid: number
  readonly parent: number
  readonly name: string
  /** Resident memory in MB, with pages that others have too; and with those shared out among them. */
  readonly resident: number
  readonly proportional: number
  /** User and system time of its own, in milliseconds; proc_pid_stat(5) counts in hundredths of a second. */
  readonly cpu: number
}

/** The process `root` and all below it; none where there is no /proc. */
export function tree(root: number): Process[] {
  let pids: number[]
  try {
    pids = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
  } catch {
    return []
  }
  const all = new Map(pids.flatMap((pid) => statOf(pid) ?? []).map((one) => [one.pid, one]))
  const isBelow = ({ pid, parent }: { pid: number; parent: number }): boolean => {
    if (pid === root) return true
    const above = all.get(parent)
    return above !== undefined && isBelow(above)
  }
  return [...all.values()].filter(isBelow).map((stat) => ({ ...stat, ...memoryOf(stat.pid) }))
}

function statOf(pid: number): Omit<Process, 'resident' | 'proportional'> | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name stands in brackets and may hold anything.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    const script = command.find((word) => /main\.js$/.test(word))
    return {
      pid,
      parent: fields[1] ?? 0,
      name: script?.split('/').at(-2) ?? command[0]?.split('/').at(-1) ?? '?',
      cpu: ((fields[11] ?? 0) + (fields[12] ?? 0)) * 10,
    }
  } catch {
    // It has just ended.
    return undefined
  }
}

function memoryOf(pid: number): { resident: number; proportional: number } {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
    const of = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024
    return { resident: of('Rss'), proportional: of('Pss') }
  } catch {
    return { resident: 0, proportional: 0 }
  }
}
