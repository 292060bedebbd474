// SPDX-License-Identifier: GPL-2.0-or-later
// The command as a whole: help, version, wrong verbs, and that it loads no more than a verb needs.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../../place.ts'
import { command } from './command.ts'

const verbs = ['vtop', 'info', 'run', 'install', 'slice']

test('--help lists every verb and the exit codes', async () => {
  for (const args of [['--help'], ['-h'], ['help']]) {
    const { code, stdout, stderr } = await command(args)
    assert.deepEqual([code, stderr], [0, ''])
    for (const verb of verbs) assert.match(stdout, new RegExp(`^ {2}${verb} `, 'm'))
    assert.match(stdout, /Examples:[^]*Exit codes:/)
    for (const line of stdout.split('\n')) assert.ok(line.length <= 80, line)
  }
})

for (const verb of verbs) {
  test(`the help of ${verb} has usage, examples and exit codes, and fits a terminal of 80 columns`, async () => {
    const { code, stdout, stderr } = await command([verb, '--help'])
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, new RegExp(`^Usage: qemu-vtop ${verb} [^]*Examples:[^]*Exit codes:`))
    for (const line of stdout.split('\n')) assert.ok(line.length <= 80, line)
    assert.deepEqual(await command(['help', verb]), { code, stdout, stderr, signal: null })
  })
}

test('--version is the version of the package', async () => {
  const told = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const { code, stdout } = await command(['--version'])
  assert.deepEqual([code, stdout], [0, `qemu-vtop ${told.version}\n`])
})

test('without arguments the help goes to stderr, with exit code 2', async () => {
  const { code, stdout, stderr } = await command([])
  assert.deepEqual([code, stdout], [2, ''])
  assert.match(stderr, /^Usage: /)
})

const wrong: Readonly<Record<string, readonly [readonly string[], RegExp]>> = {
  'an unknown verb': [
    ['vtopp'],
    /^qemu-vtop: "vtopp" is not a verb; there are: vtop, translate, info/,
  ],
  'a name that every object has': [['constructor'], /"constructor" is not a verb/],
  'the arguments of the old extension': [
    ['-g', '1', '-p', '0'],
    /the verb is missing; did you mean: qemu-vtop vtop -g 1 -p 0/,
  ],
  'a dump without a verb': [
    ['package.json', '-g', '1', '-p', '0'],
    /did you mean: qemu-vtop vtop package\.json -g 1 -p 0/,
  ],
  'info without a dump': [['info'], /^qemu-vtop info: no dump given/],
  'info with a dump twice': [
    ['info', import.meta.filename, import.meta.filename],
    /is given twice/,
  ],
  'the dump and the addresses on stdin': [['vtop', '-', '-g', '1', '-p', '-'], /both cannot come/],
  'an unknown flag': [['info', '--fast'], /^qemu-vtop info: Unknown option '--fast'\n/],
  'run without a notebook': [['run'], /no notebook given/],
  'slice without OUT': [['slice', 'a', '-g', '1', '-p', '0'], /DUMP and OUT must be given/],
  'slice with a flag of vtop': [
    ['slice', 'a', 'b', '-g', '1', '-p', '0', '--json'],
    /--json is not for/,
  ],
}

for (const [what, [args, message]] of Object.entries(wrong)) {
  test(`${what} is a usage error with exit code 2`, async () => {
    const { code, stdout, stderr } = await command(args)
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, message)
    assert.match(stderr, /\nTry: qemu-vtop (\w+ )?--help\n$/)
  })
}

test('vtop loads no package of the kernel, so that it starts fast', async () => {
  const tell = `import { createRequire } from 'node:module'
    process.on('exit', () => console.error(JSON.stringify(Object.keys(createRequire('/x').cache))))`
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(tell)}` }
  const loaded = async (verb: string): Promise<string[]> => {
    const { stderr } = await command([verb, 'no-such-file', '-g', '1', '-p', '0'], { env })
    return JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '') as string[]
  }
  assert.deepEqual(await loaded('vtop'), [])
  // The same look at a verb that needs them does find them.
  assert.ok((await loaded('run')).some((path) => path.includes('zeromq')))
})
