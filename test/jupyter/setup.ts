// SPDX-License-Identifier: GPL-2.0-or-later
// Makes what the tests of this folder need: a virtual environment with Jupyter, and the kernel, installed for it.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../place.ts'
import { cache, prefix, program, run, sources, venv } from './environment.ts'

const python = process.env['QEMU_VTOP_PYTHON'] ?? 'python3'
const requirements = join(sources, 'requirements.txt')
const stamp = join(venv, 'made-of')

/** Runs a step, and says what it is for when it fails. */
async function step(what: string, file: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(file, args, {}, 900_000).catch((error: unknown) => ({
    code: null,
    stdout: '',
    stderr: String(error),
  }))
  if (code === 0) return stdout
  throw new Error(`cannot ${what}: ${[file, ...args].join(' ')}\n${(stdout + stderr).trim()}`)
}

async function setUp(): Promise<void> {
  const version = await step('run Python', python, ['--version'])
  const wanted = createHash('sha256').update(version).update(readFileSync(requirements))
  const key = wanted.digest('hex')
  mkdirSync(cache, { recursive: true })
  // The stamp is written last: an environment that was left half made is made again.
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== key) {
    process.stdout.write(`making a Python environment in ${venv}\n`)
    rmSync(venv, { recursive: true, force: true })
    await step('make a virtual environment (Debian: python3-venv)', python, ['-m', 'venv', venv])
    const options = ['--quiet', '--disable-pip-version-check', '--requirement', requirements]
    await step('install Jupyter', program('python'), ['-m', 'pip', 'install', ...options])
    writeFileSync(stamp, key)
  }
  rmSync(prefix, { recursive: true, force: true })
  const command = join(root, 'dist', 'kernel', 'command', 'main.js')
  await step('install the kernel', process.execPath, [command, 'install', '--prefix', prefix])
}

try {
  await setUp()
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.stdout.write('0 passed, 1 failed, 0 skipped\n')
  process.exitCode = 1
}
