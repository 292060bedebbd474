// SPDX-License-Identifier: GPL-2.0-or-later
// Where the engines that the recipes of docs/fleet.md run in lie, and whether they can run.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { kernels, realDump, root } from '../place.ts'
import { programOf } from '../python.ts'

/** The folder with the Python parts of the tests: they are run from the sources. */
export const sources = join(root, 'test', 'fleet')

/** The virtual environment of `requirements.txt`, in a folder that npm and git know as a cache. */
export const venv = join(root, 'node_modules', '.cache', 'fleet', 'venv')

/** Its Python. */
export const python = programOf(venv, 'python')

/** Where the set-up tells the tests that it could not make the environment, and why. */
export const WHY_NOT = 'QEMU_VTOP_FLEET_WHY_NOT'

/** The real dumps that the recipes run on. */
export const dumps = kernels.map(realDump)

/** The oldest Java that Spark 4 runs on. */
const JAVA = 17

/** Why no recipe can run, or false. */
export function whyNot(): string | false {
  const missing = dumps.find(({ skip }) => skip !== false)
  return missing?.skip ?? process.env[WHY_NOT] ?? false
}

/** Why what needs Java cannot run, or false. */
export function whyNoJava(): string | false {
  const { error, stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' })
  if (error !== undefined) return `no Java (Debian: openjdk-${JAVA}-jre-headless)`
  const version = /version "(\d+)/.exec(stderr)?.[1]
  if (version === undefined) return `'java -version' told no version: ${stderr.trim()}`
  return Number(version) >= JAVA ? false : `Java ${version}, Spark needs ${JAVA} or later`
}
