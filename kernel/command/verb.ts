// SPDX-License-Identifier: GPL-2.0-or-later
// What a verb of the command is, how it says that it cannot go on, and how it prints.
import { parseArgs, type ParseArgsConfig } from 'node:util'

/** One verb of the command, such as `vtop`. */
export interface Verb {
  /** The text of `--help`, with examples. */
  readonly help: string
  /** Runs with the arguments after the verb and gives the exit code. */
  readonly run: (args: readonly string[]) => Promise<number>
}

/** The exit codes of all verbs. */
export const exitCode = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const

/** The end of a verb, with a message for the user; no stack is shown. */
export class CommandError extends Error {
  override name = 'CommandError'
  readonly code: number

  constructor(message: string, code: number = exitCode.failed, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Arguments that cannot be understood: exit code 2, and a line that tells where the help is. */
export function usageError(message: string): CommandError {
  return new CommandError(message, exitCode.usage)
}

/** Node's parseArgs, with its complaints as usage errors. */
export function parseArguments<T extends ParseArgsConfig>(
  config: T,
): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    if (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE'))
      throw usageError(error.message.replace(/\. To specify.*/s, ''))
    throw error
  }
}

/** Writes to stdout and waits until it is taken, so that a slow reader does not fill our memory. */
export function print(text: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (error == null) resolve()
      // The reader has gone, as `head` does when it has seen enough: 128 + SIGPIPE, as a C program ends.
      else if ('code' in error && error.code === 'EPIPE') process.exit(141)
      else reject(error)
    })
  })
}
