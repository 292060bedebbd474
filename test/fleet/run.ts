// SPDX-License-Identifier: GPL-2.0-or-later
// Makes a Python environment with DuckDB, Ray and Spark, and runs the recipes of docs/fleet.md: npm run test:fleet.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { root } from '../place.ts'
import { makeVenv } from '../python.ts'
import { sources, venv, WHY_NOT, whyNot } from './place.ts'

/** A gigabyte of packages: not for tests that cannot run. */
function setUp(): string | undefined {
  if (whyNot() !== false) return undefined
  try {
    makeVenv(venv, join(sources, 'requirements.txt'), 'DuckDB, Ray and Spark')
    return undefined
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    process.stdout.write(`${message}\n`)
    return `no Python environment: ${message.split('\n').at(-1)}`
  }
}

const reason = setUp()
const runner = ['--enable-source-maps', join(root, 'dist', 'test', 'run.js'), '--fleet']
const env = reason === undefined ? process.env : { ...process.env, [WHY_NOT]: reason }
process.exitCode = spawnSync(process.execPath, runner, { stdio: 'inherit', env }).status ?? 1
