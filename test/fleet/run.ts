// SPDX-License-Identifier: GPL-2.0-or-later
// Runs the recipes of docs/fleet.md on the real dumps. Makes a Python environment of its own; Spark needs Java as well.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kernels, realDump, root } from '../place.ts'

const cache = join(root, 'node_modules', '.cache', 'fleet')
const venv = join(cache, 'venv')
const sources = join(root, 'test', 'fleet')
const command = join(root, 'dist', 'kernel', 'command', 'main.js')

function run(file: string, args: readonly string[], cwd = root): string {
  const env = {
    ...{ ...process.env, QEMU_VTOP: `${process.execPath} ${command}`, PYTHONPATH: cwd },
    // Spark's workers are to be the same Python.
    PYSPARK_PYTHON: join(venv, 'bin', 'python'),
  }
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    ...{ cwd, env, encoding: 'utf8', timeout: 900_000 },
  })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${file} ended with ${status}:\n${stdout}${stderr}`.trim())
  return stdout
}

function setUp(): string {
  const python = process.env['QEMU_VTOP_PYTHON'] ?? 'python3'
  const requirements = join(sources, 'requirements.txt')
  const wanted = createHash('sha256').update(run(python, ['--version']))
  const key = wanted.update(readFileSync(requirements)).digest('hex')
  const stamp = join(venv, 'made-of')
  // Written last: an environment that was left half made is made again.
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== key) {
    process.stdout.write(`making a Python environment in ${venv}\n`)
    rmSync(venv, { recursive: true, force: true })
    mkdirSync(cache, { recursive: true })
    run(python, ['-m', 'venv', venv])
    run(join(venv, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '-r', requirements])
    writeFileSync(stamp, key)
  }
  return join(venv, 'bin', 'python')
}

/** The programs of the page, each with its name in its first line. */
function recipesTo(folder: string): void {
  const page = readFileSync(join(root, 'docs', 'fleet.md'), 'utf8')
  for (const [, name, text] of page.matchAll(/^```python\n# (\w+\.py)\n([^]*?)^```$/gm)) {
    writeFileSync(join(folder, name ?? ''), text ?? '')
  }
  copyFileSync(join(sources, 'check.py'), join(folder, 'check.py'))
}

/** Why a recipe cannot run, or false. */
function lacking(recipe: string): string | false {
  if (recipe !== 'spark') return false
  return spawnSync('java', ['-version']).status === 0 ? false : 'no Java'
}

const count = { passed: 0, failed: 0, skipped: 0 }
const dumps = kernels.map(realDump).filter(({ skip }) => skip === false)
const folder = mkdtempSync(join(tmpdir(), 'test-fleet-'))
try {
  const python = setUp()
  recipesTo(folder)
  const tree = join(folder, 'pages')
  const args = [tree, ...dumps.map((dump) => dump.folder)]
  for (const { path } of dumps) {
    run(process.execPath, [command, 'translate', path, '--partition', tree, '--int64'])
  }
  for (const recipe of ['duckdb', 'ray', 'spark']) {
    const reason = dumps.length === 0 ? 'no dumps' : lacking(recipe)
    if (reason !== false) {
      count.skipped++
      process.stdout.write(`skipped: ${recipe}: ${reason}\n`)
      continue
    }
    try {
      process.stdout.write(run(python, ['check.py', recipe, ...args], folder))
      count.passed++
    } catch (error) {
      count.failed++
      process.stdout.write(`FAIL ${recipe}: ${error instanceof Error ? error.message : ''}\n`)
    }
  }
} catch (error) {
  count.failed++
  process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`)
} finally {
  rmSync(folder, { recursive: true })
}
const { passed, failed, skipped } = count
process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`)
process.exitCode = failed > 0 ? 1 : 0
