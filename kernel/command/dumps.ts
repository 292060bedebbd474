// SPDX-License-Identifier: GPL-2.0-or-later
// Opens a dump for a verb, and says what core throws in the command's way.
import { readFileSync } from 'node:fs'
import {
  DumpError,
  formatSize,
  type HostDump,
  onProgress,
  openDump,
  type OpenOptions,
  type RawRange,
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
  'raw-base': { type: 'string' },
  'raw-range': { type: 'string', multiple: true },
  'phys-base': { type: 'string' },
  cr3: { type: 'string' },
  vmcoreinfo: { type: 'string' },
} as const

/** What parseArgs gives for `fileFlags`. */
type FileValues = {
  readonly [K in keyof typeof fileFlags]?: (K extends 'raw-range' ? string[] : string) | undefined
}

/** Their part of a verb's help. */
export const fileHelp = `For a dump whose kernel does not describe itself (no BTF, no kallsyms):

      --vmlinux FILE     its vmlinux, with BTF, or DWARF (pahole reads it)
      --debuginfo DIR    debug files as a distribution lays them out, such as
                         /usr/lib/debug or an unpacked package
      --modules DIR      its modules, or their debug files
      --system-map FILE  its System.map
      --btf FILE         a copy of its /sys/kernel/btf/vmlinux

For raw memory, and for a dump in which the kernel is not found:

      --raw-base HEX     the file is nothing but memory, from this address on
      --raw-range OFFSET:START:LENGTH
                         one part of such a file, each number in hex with 0x or
                         in decimal; give it again for each part
      --phys-base HEX    the kernel's phys_base
      --cr3 HEX          CR3 of one of the processors
      --vmcoreinfo FILE  the text of its VMCOREINFO`

/** What was given behind these flags, as options of openDump. */
export function filesGiven(values: FileValues): OpenOptions {
  const { vmlinux, debuginfo, modules, btf, 'system-map': systemMap, vmcoreinfo, cr3 } = values
  const { 'raw-base': base, 'raw-range': ranges, 'phys-base': physBase } = values
  const isRaw = base !== undefined || ranges !== undefined
  return {
    ...(isRaw && { format: 'raw' }),
    ...(base !== undefined && { base }),
    ...(ranges !== undefined && { ranges: ranges.map(rangeOf) }),
    ...(physBase !== undefined && { physBase }),
    ...(cr3 !== undefined && { cr3 }),
    ...(vmcoreinfo !== undefined && { vmcoreinfo: textOf(vmcoreinfo) }),
    ...(vmlinux !== undefined && { vmlinux }),
    ...(debuginfo !== undefined && { debuginfo }),
    ...(modules !== undefined && { modules }),
    ...(systemMap !== undefined && { systemMap }),
    ...(btf !== undefined && { btf }),
  }
}

function rangeOf(text: string): RawRange {
  const parts = /^(0x[0-9a-f]+|\d+):(0x[0-9a-f]+|\d+):(0x[0-9a-f]+|\d+)$/i.exec(text)
  if (parts === null) {
    throw usageError(
      `--raw-range '${text}' is not OFFSET:START:LENGTH, such as 0:0x100000000:0x80000000`,
    )
  }
  const [, offset = '', start = '', length = ''] = parts
  return { offset: BigInt(offset), start: BigInt(start), length: BigInt(length) }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandError(`cannot read the file of --vmcoreinfo: ${reason}`)
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

/** Cells of the bar of work whose end is known. */
const BAR_WIDTH = 24

/** Work on one line of a terminal, from the first second on; with a bar where its end is known. */
export function progressLine({ label, unit, total }: Work): WorkDisplay {
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
      process.stderr.write(`\r\x1b[K${label}: ${bar(done, total)}${amount(done)}${of}`)
    },
    finish: end,
    stop: end,
  }
}

function bar(done: number, total: number | undefined): string {
  if (total === undefined || total === 0) return ''
  const share = Math.min(1, done / total)
  const cells = Math.round(BAR_WIDTH * share)
  const percent = String(Math.floor(100 * share)).padStart(3)
  return `[${'#'.repeat(cells)}${'.'.repeat(BAR_WIDTH - cells)}] ${percent} %  `
}
