// SPDX-License-Identifier: GPL-2.0-or-later
// The verb doctor: a set-up that is right, and one broken thing after the other.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { kernelJson } from '../../../kernel/client/spec.ts'
import { command } from './command.ts'

const folder = mkdtempSync(join(tmpdir(), 'test-doctor-'))
after(() => {
  rmSync(folder, { recursive: true })
})

interface Report {
  ok: boolean
  checks: { name: string; ok: boolean; found: string; mend?: string }[]
}

/** Nothing that is installed on this machine is looked at. */
function surroundings(name: string): Record<string, string | undefined> {
  const home = join(folder, name)
  return {
    HOME: home,
    XDG_DATA_HOME: join(home, 'data'),
    JUPYTER_DATA_DIR: join(home, 'jupyter'),
    JUPYTER_PATH: undefined,
    VIRTUAL_ENV: undefined,
    CONDA_PREFIX: undefined,
  }
}

/** Writes a kernel.json into the folder of that name. */
function putSpec(name: string, text: string): string {
  const spec = join(folder, name, 'jupyter', 'kernels', 'qemu-vtop')
  mkdirSync(spec, { recursive: true })
  writeFileSync(join(spec, 'kernel.json'), text)
  return spec
}

/** What is wrong, one line each, and the exit code. */
async function wrongIn(
  env: Record<string, string | undefined>,
): Promise<{ code: number | null; wrong: Report['checks'] }> {
  const { code, stdout, stderr } = await command(['doctor', '--json'], { env })
  assert.equal(stderr, '')
  const { ok, checks } = JSON.parse(stdout) as Report
  const wrong = checks.filter((check) => !check.ok)
  assert.equal(ok, wrong.length === 0)
  for (const { mend } of wrong) assert.match(mend ?? '', /\w/)
  return { code, wrong }
}

test('nothing is wrong after an installation, a cell runs, and nothing is left behind', async () => {
  const env = surroundings('right')
  assert.equal((await command(['install'], { env })).code, 0)
  const { code, stdout, stderr } = await command(['doctor'], { env })
  assert.deepEqual([code, stderr], [0, ''], stdout)
  assert.match(stdout, /^ok {7}Node: /m)
  assert.match(stdout, /^ok {7}cell runs: its result is there after [\d.]+ s$/m)
  assert.match(stdout, /\nNothing is wrong\.\n$/)
  assert.deepEqual(readdirSync(join(folder, 'right')), ['jupyter'])
})

const brokenSpecs: Readonly<Record<string, { text: string; found: RegExp }>> = {
  'is no JSON': { text: '{', found: /kernel\.json: .*JSON/ },
  'has no argv': { text: '{}', found: /it has no argv/ },
  'names a Node that is gone': {
    text: specWith(['/nowhere/node', 'x', '{connection_file}']),
    found: /\/nowhere\/node cannot be run: .*ENOENT/,
  },
  'names another program for Node': {
    text: specWith(['/bin/true', 'x', '{connection_file}']),
    found: /\/bin\/true is not Node/,
  },
  'names a copy that is gone': {
    text: specWith([process.execPath, '/nowhere/front/main.js', '{connection_file}']),
    found: /\/nowhere\/front\/main\.js is not there any more/,
  },
}

function specWith(argv: readonly string[]): string {
  return JSON.stringify({ ...kernelJson(), argv })
}

for (const [what, { text, found }] of Object.entries(brokenSpecs)) {
  test(`a kernelspec that ${what} is told, with how to mend it`, async () => {
    const name = what.replaceAll(' ', '-')
    const spec = putSpec(name, text)
    const { code, wrong } = await wrongIn(surroundings(name))
    assert.equal(code, 1)
    assert.deepEqual(
      wrong.map((check) => check.name),
      ['kernelspec'],
    )
    assert.match(wrong[0]?.found ?? '', found)
    assert.match(wrong[0]?.mend ?? '', /qemu-vtop install/)
    assert.equal(readFileSync(join(spec, 'kernel.json'), 'utf8'), text)
  })
}

test('a data folder that cannot be made is told, beside the kernelspec that is missing', async () => {
  mkdirSync(join(folder, 'full'))
  const file = join(folder, 'full', 'file')
  writeFileSync(file, '')
  const { code, wrong } = await wrongIn({ ...surroundings('full'), XDG_DATA_HOME: join(file, 'x') })
  assert.equal(code, 1)
  assert.deepEqual(
    wrong.map(({ name }) => name),
    ['kernelspec', 'folder for history'],
  )
  assert.match(wrong[1]?.found ?? '', /ENOTDIR/)
})

test('zeromq without its compiled part is told, and that no kernel starts for it', async () => {
  putSpec('sockets', specWith([process.execPath, import.meta.filename, '{connection_file}']))
  const hook =
    "export const resolve = (name, context, next) => { if (name === 'zeromq') " +
    "throw new Error('no addon for this machine'); return next(name, context) }"
  const register = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hook))})`
  const { code, wrong } = await wrongIn({
    ...surroundings('sockets'),
    NODE_OPTIONS: `--import=${dataUrl(register)}`,
  })
  assert.equal(code, 1)
  assert.deepEqual(
    wrong.map(({ name }) => name),
    ['zeromq', 'kernel starts'],
  )
  assert.match(wrong[0]?.found ?? '', /no addon for this machine/)
})

test('an argument too much is exit code 2', async () => {
  const { code, stderr } = await command(['doctor', 'me'])
  assert.equal(code, 2)
  assert.match(stderr, /"me" is too much/)
})

function dataUrl(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`
}
