#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
// The command `qemu-vtop`: finds the verb, runs it, and turns what it throws into a message and an exit code.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageFolder } from '../client/spec.ts'
import { CommandError, exitCode, print, usageError, type Verb } from './verb.ts'

interface Entry {
  readonly summary: string
  /** Loaded when it is asked for: nobody waits for what another verb needs. */
  readonly load: () => Promise<{ readonly verb: Verb }>
}

const verbs: Readonly<Record<string, Entry>> = {
  vtop: {
    summary: 'translate guest physical addresses, or say why there is no page',
    load: () => import('./vtop.ts'),
  },
  translate: {
    summary: 'translate files or streams of addresses, or every page of a guest',
    load: () => import('./translate.ts'),
  },
  info: {
    summary: 'show what a dump is: kernel, dump level, bases, virtual machines',
    load: () => import('./info.ts'),
  },
  run: {
    summary: 'run a notebook without a browser and save it with its outputs',
    load: () => import('./run.ts'),
  },
  install: {
    summary: 'make the kernel known to Jupyter',
    load: () => import('./install.ts'),
  },
  doctor: {
    summary: 'say what is wrong with a set-up, and how to mend it',
    load: () => import('./doctor.ts'),
  },
  slice: {
    summary: 'write the pages that some questions need to a small dump',
    load: () => import('./slice.ts'),
  },
}

const help = `Usage: qemu-vtop VERB ...

Answers, from the dump of a KVM host alone: where is this guest's page on the
host, and why is it there or not?

Verbs:
${Object.entries(verbs)
  .map(([name, { summary }]) => `  ${name.padEnd(11)}${summary}`)
  .join('\n')}

  qemu-vtop VERB --help    what a verb takes, with examples
  qemu-vtop --version

Examples:
  qemu-vtop info vmcore
  qemu-vtop vtop vmcore -g 191579 -p 34de5840
  qemu-vtop translate vmcore -g 191579 --in trace.csv --out trace.parquet
  qemu-vtop run notebook.ipynb -o executed.ipynb
  qemu-vtop install --user

Exit codes:
  0    done
  1    could not be done: a dump, a task, a cell, a file
  2    the arguments are wrong
  130  interrupted
`

/** Does what the arguments say and gives the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const [first, ...rest] = args
  if (first === undefined) {
    process.stderr.write(help)
    return exitCode.usage
  }
  if (first === '--version' || first === '-V') {
    await print(`qemu-vtop ${version()}\n`)
    return exitCode.ok
  }
  const wantsHelp = ['--help', '-h', 'help']
  if (wantsHelp.includes(first) && rest[0] === undefined) {
    await print(help)
    return exitCode.ok
  }
  const name = wantsHelp.includes(first) ? (rest[0] ?? '') : first
  const entry = Object.hasOwn(verbs, name) ? verbs[name] : undefined
  if (entry === undefined) throw usageError(unknownVerb(name, rest))
  const { verb } = await entry.load()
  if (wantsHelp.includes(first) || rest.includes('--help') || rest.includes('-h')) {
    await print(verb.help)
    return exitCode.ok
  }
  return await verb.run(rest)
}

function unknownVerb(name: string, rest: readonly string[]): string {
  // Who knows the extension of 2012 gives -g and -p at once.
  if (name === '-g' || name === '-p' || (existsSync(name) && rest.includes('-p'))) {
    return `the verb is missing; did you mean: qemu-vtop vtop ${[name, ...rest].join(' ')}`
  }
  return `"${name}" is not a verb; there are: ${Object.keys(verbs).join(', ')}`
}

function version(): string {
  const text = readFileSync(join(packageFolder(), 'package.json'), 'utf8')
  const told: unknown = JSON.parse(text)
  return typeof told === 'object' && told !== null && 'version' in told ? String(told.version) : '?'
}

// A reader that has gone does not end a notebook half-way: `print` tells the verbs that only print.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

const args = process.argv.slice(2)
try {
  process.exitCode = await main(args)
} catch (error) {
  const known = Object.hasOwn(verbs, args[0] ?? '') ? ` ${args[0] ?? ''}` : ''
  if (error instanceof CommandError) {
    process.stderr.write(`qemu-vtop${known}: ${error.message}\n`)
    if (error.code === exitCode.usage) {
      process.stderr.write(`Try: qemu-vtop${known} --help\n`)
    }
    process.exitCode = error.code
  } else {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
    process.stderr.write(
      `qemu-vtop${known}: this is a bug of qemu-vtop, please report it:\n${stack}\n`,
    )
    process.exitCode = exitCode.failed
  }
}
