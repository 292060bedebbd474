// SPDX-License-Identifier: GPL-2.0-or-later
// Opens a dump for a verb, and says what core throws in the command's way.
import {
  DumpError,
  formatSize,
  type HostDump,
  onProgress,
  openDump,
  type OpenOptions,
  UsageError,
  type Work,
  type WorkDisplay,
} from '../../core/index.ts'
import { CommandError, exitCode, usageError } from './verb.ts'

/** The flags for files that tell what a dump does not, as every verb that opens a dump has them. */
export const fileFlags = {
  vmlinux: { type: 'string' },
  debuginfo: { type: 'string' },
  modules: { type: 'string' },
  'system-map': { type: 'string' },
  btf: { type: 'string' },
} as const

/** Their part of a verb's help. */
export const fileHelp = `For a dump whose kernel does not describe itself (no BTF, no kallsyms):

      --vmlinux FILE     its vmlinux, with BTF, or DWARF (pahole reads it)
      --debuginfo DIR    debug files as a distribution lays them out, such as
                         /usr/lib/debug or an unpacked package
      --modules DIR      its modules, or their debug files
      --system-map FILE  its System.map
      --btf FILE         a copy of its /sys/kernel/btf/vmlinux`

/** What was given behind these flags, as options of openDump. */
export function filesGiven(values: {
  readonly [K in keyof typeof fileFlags]?: string | undefined
}): OpenOptions {
  const { vmlinux, debuginfo, modules, btf, 'system-map': systemMap } = values
  return {
    ...(vmlinux !== undefined && { vmlinux }),
    ...(debuginfo !== undefined && { debuginfo }),
    ...(modules !== undefined && { modules }),
    ...(systemMap !== undefined && { systemMap }),
    ...(btf !== undefined && { btf }),
  }
}

/** The files of the dump among the positional arguments, `-` as stdin; a usage error when there is none. */
export function dumpArguments(positionals: readonly string[]): readonly string[] {
  if (positionals.length === 0) throw usageError('no dump given; DUMP stands before -p')
  return positionals.map((path) => (path === '-' ? '/dev/stdin' : path))
}

/** Opens a dump, gives it to `work`, and closes it. What core throws on purpose ends the verb with its message. */
export async function withDump<T>(
  paths: readonly string[],
  work: (dump: HostDump) => T | Promise<T>,
  options?: OpenOptions,
): Promise<T> {
  const endProgress = onProgress(progressLine)
  try {
    const dump = openDump(paths, options)
    try {
      return await work(dump)
    } finally {
      dump.close()
    }
  } catch (error) {
    if (!(error instanceof DumpError)) throw error
    const code = error instanceof UsageError ? exitCode.usage : exitCode.failed
    const known = paths.some((path) => error.message.includes(path))
    const message = known ? error.message : `${paths.join(', ')}: ${error.message}`
    throw new CommandError(message, code, { cause: error })
  } finally {
    endProgress()
  }
}

/** Work of the library on one line of a terminal, from the first second on. */
function progressLine({ label, unit, total }: Work): WorkDisplay {
  let next = performance.now() + 1000
  let shown = false
  let done = 0
  const amount = (count: number): string =>
    unit === 'bytes' ? formatSize(count) : `${count.toLocaleString('en')} ${unit}`
  const end = (): void => {
    if (shown) process.stderr.write('\r\x1b[K')
  }
  return {
    advance(count) {
      done += count
      if (!process.stderr.isTTY || performance.now() < next) return
      next = performance.now() + 200
      shown = true
      const of = total === undefined ? '' : ` of ${amount(total)}`
      process.stderr.write(`\r\x1b[K${label}: ${amount(done)}${of}`)
    },
    finish: end,
    stop: end,
  }
}
