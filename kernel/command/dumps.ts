// SPDX-License-Identifier: GPL-2.0-or-later
// Opens a dump for a verb, and says what core throws in the command's way.
import {
  DumpError,
  type HostDump,
  openDump,
  type OpenOptions,
  UsageError,
} from '../../core/index.ts'
import { CommandError, exitCode, usageError } from './verb.ts'

/** The one dump among the positional arguments; a usage error when there is none or more. */
export function dumpArgument(positionals: readonly string[]): string {
  const [path, another] = positionals
  if (path === undefined) throw usageError('no dump given; DUMP stands before -p')
  if (another !== undefined) throw usageError(`one dump at a time; "${another}" is too much`)
  return path
}

/** Opens a dump, gives it to `work`, and closes it. What core throws on purpose ends the verb with its message. */
export async function withDump<T>(
  path: string,
  work: (dump: HostDump) => T | Promise<T>,
  options?: OpenOptions,
): Promise<T> {
  try {
    const dump = openDump(path, options)
    try {
      return await work(dump)
    } finally {
      dump.close()
    }
  } catch (error) {
    if (!(error instanceof DumpError)) throw error
    const code = error instanceof UsageError ? exitCode.usage : exitCode.failed
    const message = error.message.includes(path) ? error.message : `${path}: ${error.message}`
    throw new CommandError(message, code, { cause: error })
  }
}
