// SPDX-License-Identifier: GPL-2.0-or-later
// `qemu-vtop info`: what a dump is.
import { viewOf } from '../../core/index.ts'
import { dumpArguments, fileFlags, fileHelp, filesGiven, withDump } from './dumps.ts'
import { exitCode, parseArguments, print, type Verb } from './verb.ts'

const help = `Usage: qemu-vtop info DUMP...

Shows what a dump is: its format and dump level, the host's kernel, where the
kernel lies in memory and how that was found, and the virtual machines with the
pids to give to vtop -g. Several files are the parts of one split dump, and - is
a dump on stdin.

${fileHelp}

Examples:
  qemu-vtop info vmcore
  qemu-vtop info /var/crash/127.0.0.1-2026-11-23-04:05/vmcore | less
  ssh host makedumpfile -F -c -d 31 /proc/vmcore | qemu-vtop info -

Exit codes:
  0  shown
  1  the dump cannot be read
  2  the arguments are wrong
`

async function run(args: readonly string[]): Promise<number> {
  const { positionals, values } = parseArguments({
    args: [...args],
    options: fileFlags,
    allowPositionals: true,
  })
  const files = filesGiven(values)
  return withDump(
    dumpArguments(positionals),
    async (dump) => {
      // A wrong file is an error; a dump without a kernel has something to show still.
      if (Object.keys(files).length > 0) dump.host.symbols.address('init_task')
      await print(`${(viewOf(dump)?.text ?? dump.release).trimEnd()}\n`)
      return exitCode.ok
    },
    files,
  )
}

/** The verb `info`. */
export const verb: Verb = { help, run }
