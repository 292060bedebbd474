// SPDX-License-Identifier: GPL-2.0-or-later
// Runs the tests that depend on Node's own insides (interrupts, processes, late output) on its other supported lines.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../place.ts'

/** The lines that users have beside the one that runs this. */
const lines = ['22', '24']

/** Words of the paths of test files: stopping code, ends of processes, and whose output it is, differ between lines. */
const files = ['kernel/front/interrupt', 'kernel/front/life', 'kernel/front/execute']

/** npm's own packages of Node's binaries lie in a folder that npm and git know as a cache. */
const cache = join(root, 'node_modules', '.cache', 'nodes')
const packageName = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`

interface Run {
  readonly code: number | null
  readonly lastLine: string
}

/** Runs a program with its output shown, and keeps the last line. */
function run(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Run> {
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      process.stdout.write(chunk)
      text = (text + chunk.toString()).slice(-1000)
    })
    child.on('error', (error) => {
      resolve({ code: null, lastLine: error.message })
    })
    child.on('close', (code) => {
      resolve({ code, lastLine: text.trimEnd().split('\n').at(-1) ?? '' })
    })
  })
}

/** The binary of one line, fetched once. */
async function node(line: string): Promise<string> {
  const folder = join(cache, line)
  const binary = join(folder, 'node_modules', packageName, 'bin', 'node')
  if (existsSync(binary)) return binary
  mkdirSync(folder, { recursive: true })
  const wanted = ['install', '--silent', '--no-audit', '--no-fund', '--prefix', folder]
  const { code } = await run('npm', [...wanted, `${packageName}@${line}`], process.env)
  if (code !== 0 || !existsSync(binary)) throw new Error(`npm cannot install Node ${line}`)
  return binary
}

const sum = { passed: 0, failed: 0, skipped: 0 }
for (const line of lines) {
  try {
    const binary = await node(line)
    process.stdout.write(`on Node ${line}\n`)
    const script = join(root, 'dist', 'test', 'run.js')
    const { lastLine } = await run(binary, ['--enable-source-maps', script, ...files], process.env)
    const [, passed, failed, skipped] =
      /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(lastLine) ?? []
    if (passed === undefined) throw new Error(`the tests on Node ${line} ended without a sum`)
    sum.passed += Number(passed)
    sum.failed += Number(failed)
    sum.skipped += Number(skipped)
  } catch (error) {
    sum.failed++
    process.stdout.write(`FAIL ${error instanceof Error ? error.message : String(error)}\n`)
  }
}
process.stdout.write(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped\n`)
process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0
