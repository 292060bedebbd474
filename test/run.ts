// SPDX-License-Identifier: GPL-2.0-or-later
// The test runner: runs the test files beside it, shows what failed, ends with `N passed, N failed, N skipped`.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { run } from 'node:test'
import { inspect } from 'node:util'

// `node --test` of Node 20 knows no globs, and its last line is not a sum that a script can read.

const here = import.meta.dirname

/**
 * With `--jupyter`, the tests of `test/jupyter`, which need Python and a browser; with `--fleet` those of `test/fleet`,
 * which need Python and Java; with `--lab` those of `test/lab`, which need dumps made there; all others need Node alone.
 */
const apart = ['jupyter', 'fleet', 'lab']
const chosen = apart.find((folder) => process.argv.includes(`--${folder}`))

/** A word after `npm test --` chooses the files whose path holds it; several words choose more files. */
const words = process.argv.slice(2).filter((word) => !word.startsWith('--'))

const files = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.test\.[jt]s$/.test(path))
  .filter((path) => apart.find((folder) => path.startsWith(join(folder, '/'))) === chosen)
  .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
  .sort()
  .map((path) => join(here, path))

if (files.length === 0) {
  const wanted = words.length === 0 ? '' : ` with ${words.join(' or ')} in its path`
  process.stdout.write(`no test file${wanted} under ${here}\n`)
  process.exit(1)
}

let passed = 0
const failures: { readonly file: string; readonly text: string }[] = []
const skips: string[] = []

// Kernels keep a history: that of the tests is not to stand in the user's own.
const dataHome = mkdtempSync(join(tmpdir(), 'test-data-'))
process.env['XDG_DATA_HOME'] = dataHome
// Kernels that are alive for a second after their first cell would each begin to make one.
process.env['QEMU_VTOP_SNAPSHOT'] = 'off'
process.on('exit', () => {
  rmSync(dataHome, { recursive: true, force: true })
})

const tests = run({
  files,
  // A test file is a process. More of them than cores only makes them run into their time limits.
  concurrency: Math.max(1, Math.min(2, availableParallelism())),
  // A limit for a whole file, so that one that hangs ends as a failure with its name.
  timeout: 600_000,
})

/** Titles from the file down to the test that reported. Files run side by side, so each has a list. */
const titles = new Map<string, string[]>()

tests.on('test:start', (event) => {
  const path = titles.get(event.file ?? '') ?? []
  path.length = event.nesting
  path[event.nesting] = event.name
  titles.set(event.file ?? '', path)
})

tests.on('test:pass', (event) => {
  const reason = event.skip ?? event.todo
  if (reason !== undefined) {
    // A suite that is left out reports none of its tests: it counts as one, or nobody would see it.
    skips.push(`${place(event)}: ${typeof reason === 'string' ? reason : 'no reason given'}`)
  } else if (event.details.type !== 'suite') {
    passed++
  }
})

tests.on('test:fail', (event) => {
  const { error, type } = event.details
  // A parent of failed tests: they were counted. A suite that fails by itself did so in a hook.
  if ('failureType' in error && error.failureType === 'subtestsFailed') return
  if (type !== 'suite' && event.todo !== undefined) {
    skips.push(`${place(event)}: fails, and is marked as still to be done`)
    return
  }
  failures.push({ file: event.file ?? '', text: `${place(event)}\n${indent(describe(error))}` })
  process.stdout.write(`FAIL ${place(event)}\n`)
})

const outputs = new Map<string, string>()
const keep = ({ file, message }: { readonly file: string; readonly message: string }): void => {
  const name = short(file)
  outputs.set(name, ((outputs.get(name) ?? '') + message).slice(-20_000))
}
tests.on('test:stdout', keep)
tests.on('test:stderr', keep)

tests.on('end', () => {
  const failedFiles = new Set(failures.map(({ file }) => short(file)))
  for (const [file, output] of outputs) {
    if (!failedFiles.has(file)) continue
    process.stdout.write(`\nprinted by ${file}:\n${indent(output)}\n`)
  }
  for (const { text } of failures) process.stdout.write(`\nFAIL ${text}\n`)
  for (const skip of skips) process.stdout.write(`skipped: ${skip}\n`)
  process.stdout.write(`${passed} passed, ${failures.length} failed, ${skips.length} skipped\n`)
  process.exitCode = failures.length > 0 || passed + skips.length === 0 ? 1 : 0
})
tests.resume()

interface Place {
  readonly name: string
  readonly file?: string | undefined
  readonly nesting: number
}

function place(event: Place): string {
  const file = event.file ?? ''
  // A file that crashed reports under its own path.
  if (short(event.name) === short(file)) return short(file)
  return [short(file), ...(titles.get(file) ?? []).slice(0, event.nesting), event.name].join(' > ')
}

/** A file's path under `test`: reports name the compiled file or, through its source map, the source. */
function short(file: string): string {
  return relative(here, file)
    .replace(/^(\.\.[\\/])+test[\\/]/, '')
    .replace(/\.js$/, '.ts')
}

/** What was thrown, which the test runner wraps; of a file that crashed, how its process ended. */
function describe(error: Error): string {
  const { cause } = error
  if ('signal' in error && typeof error.signal === 'string') {
    return `the file's process was ended by ${error.signal}`
  }
  if ('exitCode' in error && typeof error.exitCode === 'number') {
    return `the file's process ended with exit code ${error.exitCode}`
  }
  if (cause instanceof Error)
    return (cause.stack ?? cause.message).replace(/\n +at [^\n]*node:internal.*/g, '')
  return typeof cause === 'string' ? cause : inspect(error)
}

function indent(text: string): string {
  return text.trimEnd().replace(/^/gm, '    ')
}
