// SPDX-License-Identifier: GPL-2.0-or-later
// Python environments of the tests: made once out of a list of packages with their versions, and kept in a cache.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const python = process.env['QEMU_VTOP_PYTHON'] ?? 'python3'

/** Runs a step of a set-up for at most a quarter of an hour. Throws what it is for, and what was printed, when it fails. */
export function step(what: string, file: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    ...{ encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 900_000 },
    maxBuffer: 64 << 20,
  })
  if (error === undefined && status === 0) return stdout
  const said = error?.message ?? (stdout + stderr).trim()
  throw new Error(`cannot ${what}: ${[file, ...args].join(' ')}\n${said}`)
}

/** A program of a virtual environment. */
export function programOf(venv: string, name: string): string {
  return join(venv, 'bin', name)
}

/** Makes a virtual environment with what a file of requirements lists, unless that very one is there. `what` names it. */
export function makeVenv(venv: string, requirements: string, what: string): void {
  const version = step('run Python', python, ['--version'])
  const wanted = createHash('sha256').update(version).update(readFileSync(requirements))
  const key = wanted.digest('hex')
  const stamp = join(venv, 'made-of')
  // The stamp is written last: an environment that was left half made is made again.
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return
  process.stdout.write(`making a Python environment in ${venv}\n`)
  mkdirSync(dirname(venv), { recursive: true })
  rmSync(venv, { recursive: true, force: true })
  step('make a virtual environment (Debian: python3-venv)', python, ['-m', 'venv', venv])
  const options = ['--quiet', '--disable-pip-version-check', '--requirement', requirements]
  step(`install ${what}`, programOf(venv, 'python'), ['-m', 'pip', 'install', ...options])
  writeFileSync(stamp, key)
}
