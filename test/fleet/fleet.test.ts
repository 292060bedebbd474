// SPDX-License-Identifier: GPL-2.0-or-later
// The recipes of docs/fleet.md give in DuckDB, Ray and Spark what the hosts recorded of their guests.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { kernels, root } from '../place.ts'
import { truthOf } from '../truth.ts'
import { dumps, python, sources, whyNoJava, whyNot } from './place.ts'

const command = join(root, 'dist', 'kernel', 'command', 'main.js')
// A short name: below it Ray has sockets, whose paths have an end at 107 letters.
const folder = mkdtempSync(join(tmpdir(), 'fleet-'))
const tree = join(folder, 'pages')

function run(file: string, args: readonly string[]): string {
  const env = {
    ...process.env,
    QEMU_VTOP: `${process.execPath} ${command}`,
    PYTHONPATH: folder,
    // Spark's workers are to be the same Python.
    PYSPARK_PYTHON: python,
    // Neither is to ask the network who this machine is, or to tell it.
    SPARK_LOCAL_IP: '127.0.0.1',
    RAY_USAGE_STATS_ENABLED: '0',
    // Else Ray leaves a token in the user's home.
    RAY_AUTH_MODE: 'disabled',
  }
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    ...{ cwd: folder, env, encoding: 'utf8', timeout: 240_000, maxBuffer: 64 << 20 },
  })
  const said = (stdout + stderr).slice(-10_000)
  assert.equal(error, undefined, `${file} ${args[0]}: ${error?.message ?? ''}\n${said}`)
  assert.equal(status, 0, `${file} ${args[0]} ended with ${status}:\n${said}`)
  return stdout
}

/** The programs of the page, each with its name in its first line. */
function writeRecipes(): void {
  const page = readFileSync(join(root, 'docs', 'fleet.md'), 'utf8')
  for (const [, name, text] of page.matchAll(/^```python\n# (\w+\.py)\n([^]*?)^```$/gm)) {
    writeFileSync(join(folder, name ?? ''), text ?? '')
  }
  copyFileSync(join(sources, 'check.py'), join(folder, 'check.py'))
}

before(() => {
  if (whyNot() !== false) return
  writeRecipes()
  for (const { path } of dumps) {
    run(process.execPath, [command, 'translate', path, '--partition', tree, '--int64'])
  }
})
after(() => {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

const recipes = [
  { name: 'duckdb', title: 'DuckDB counts the pages of the partitions by state', java: false },
  { name: 'ray', title: 'actors of Ray translate every page of every guest', java: false },
  { name: 'spark', title: "Spark's mapInArrow translates every page of every guest", java: true },
]
for (const { name, title, java } of recipes) {
  const skip = whyNot() || (java && whyNoJava())
  test(`${title}, to the sums that the hosts recorded`, { skip }, () => {
    const said = run(python, ['check.py', name, tree, ...dumps.map((dump) => dump.folder)])
    const guests = kernels.flatMap((kernel) => truthOf(kernel).vms)
    const slots = guests.flatMap(({ memslots }) => memslots)
    const pages = slots.reduce((sum, slot) => sum + (slot.address_space === 0 ? slot.pages : 0), 0)
    assert.match(said, new RegExp(`^${name}: ${guests.length} guests, ${pages} pages$`, 'm'))
  })
}
