// SPDX-License-Identifier: GPL-2.0-or-later
// Makes what the tests of this folder need: a virtual environment with Jupyter, and the kernel, installed for it.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../place.ts'
import { makeVenv, step } from '../python.ts'
import { prefix, sources, venv } from './environment.ts'

try {
  makeVenv(venv, join(sources, 'requirements.txt'), 'Jupyter')
  rmSync(prefix, { recursive: true, force: true })
  const command = join(root, 'dist', 'kernel', 'command', 'main.js')
  step('install the kernel', process.execPath, [command, 'install', '--prefix', prefix])
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.stdout.write('0 passed, 1 failed, 0 skipped\n')
  process.exitCode = 1
}
