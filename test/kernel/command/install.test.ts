// SPDX-License-Identifier: GPL-2.0-or-later
// The verb install: where the kernelspec goes, what it says, and that a kernel starts from it.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { after, test } from 'node:test'
import { launchKernel } from '../../../kernel/client/launch.ts'
import { command } from './command.ts'

const folder = mkdtempSync(join(tmpdir(), 'test-install-'))
after(() => {
  rmSync(folder, { recursive: true })
})

const python = process.env['QEMU_VTOP_PYTHON'] ?? 'python3'
const hasJupyter = spawnSync(python, ['-c', 'import jupyter_client']).status === 0

/** No variable of the surroundings may decide where something is installed. */
const clean = {
  HOME: join(folder, 'home'),
  JUPYTER_DATA_DIR: undefined,
  XDG_DATA_HOME: undefined,
  VIRTUAL_ENV: undefined,
  CONDA_PREFIX: undefined,
}

interface Place {
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly at: readonly string[]
}
const places: Readonly<Record<string, Place>> = {
  '--prefix': { args: ['--prefix', join(folder, 'p')], at: ['p', 'share', 'jupyter'] },
  VIRTUAL_ENV: {
    args: ['--sys-prefix'],
    env: { VIRTUAL_ENV: join(folder, 'v') },
    at: ['v', 'share', 'jupyter'],
  },
  CONDA_PREFIX: {
    args: ['--sys-prefix'],
    env: { CONDA_PREFIX: join(folder, 'c') },
    at: ['c', 'share', 'jupyter'],
  },
  JUPYTER_DATA_DIR: { args: ['--user'], env: { JUPYTER_DATA_DIR: join(folder, 'd') }, at: ['d'] },
  XDG_DATA_HOME: { args: [], env: { XDG_DATA_HOME: join(folder, 'x') }, at: ['x', 'jupyter'] },
  ...(process.platform === 'linux'
    ? { 'the home folder': { args: [], at: ['home', '.local', 'share', 'jupyter'] } }
    : {}),
}

for (const [what, { args, env, at }] of Object.entries(places)) {
  test(`the place told by ${what} gets a whole kernelspec`, async () => {
    const { code, stdout, stderr } = await command(['install', ...args], {
      env: { ...clean, ...env },
    })
    const spec = join(folder, ...at, 'kernels', 'qemu-vtop')
    assert.deepEqual([code, stderr, stdout], [0, '', `installed kernel qemu-vtop in ${spec}\n`])
    assert.deepEqual(readdirSync(spec).sort(), [
      'kernel.json',
      'logo-32x32.png',
      'logo-64x64.png',
      'logo-svg.svg',
    ])
    assert.deepEqual(readdirSync(join(spec, '..')), ['qemu-vtop'])
  })
}

/** Installs with a name and gives the kernelspec's folder. */
async function installed(name: string): Promise<string> {
  const prefix = join(folder, 'named')
  const { code, stderr } = await command(['install', '--prefix', prefix, '--name', name])
  assert.deepEqual([code, stderr], [0, ''])
  return join(prefix, 'share', 'jupyter', 'kernels', name)
}

test('kernel.json has only members that Jupyter knows, full paths, and a kernel starts from its argv', async () => {
  const spec = await installed('Own.Name-1')
  const told = JSON.parse(readFileSync(join(spec, 'kernel.json'), 'utf8')) as { argv: string[] }
  assert.deepEqual(Object.keys(told).sort(), [
    'argv',
    'display_name',
    'env',
    'interrupt_mode',
    'kernel_protocol_version',
    'language',
    'metadata',
  ])
  assert.equal(told.argv.at(-1), '{connection_file}')
  for (const path of told.argv.slice(0, 2)) assert.ok(isAbsolute(path) && existsSync(path), path)
  const kernel = await launchKernel({
    argv: (file) => told.argv.map((part) => part.replace('{connection_file}', file)),
    // As an editor may start it: without any PATH.
    env: { PATH: '' },
  })
  await kernel.stop(10_000)
})

test('the logos are PNG files of the sizes in their names', async () => {
  const spec = await installed('logos')
  for (const size of [32, 64]) {
    const png = readFileSync(join(spec, `logo-${size}x${size}.png`))
    assert.equal(png.toString('latin1', 1, 4), 'PNG')
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [size, size])
  }
})

test('an earlier installation is replaced as a whole', async () => {
  const spec = await installed('again')
  writeFileSync(join(spec, 'old.txt'), 'old')
  writeFileSync(join(spec, 'kernel.json'), '{')
  assert.equal(await installed('again'), spec)
  assert.equal(existsSync(join(spec, 'old.txt')), false)
  assert.ok(readFileSync(join(spec, 'kernel.json'), 'utf8').includes('argv'))
  assert.deepEqual(
    readdirSync(join(spec, '..')).filter((name) => name.startsWith('.')),
    [],
  )
})

test(
  'jupyter_client finds it, and a cell runs',
  { skip: hasJupyter ? false : `no jupyter_client for ${python}` },
  async () => {
    const spec = await installed('found')
    const program = `
import sys
from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpecManager
specs = KernelSpecManager(kernel_dirs=[sys.argv[1]])
kernel = KernelManager(kernel_name='found', kernel_spec_manager=specs)
kernel.start_kernel()
client = kernel.client()
client.start_channels()
try:
    client.wait_for_ready(timeout=60)
    def show(message):
        if message['msg_type'] == 'execute_result':
            print(message['content']['data']['text/plain'])
    reply = client.execute_interactive('const z: number = 6; z * 7', timeout=60, output_hook=show)
    print(reply['content']['status'])
finally:
    client.stop_channels()
    kernel.shutdown_kernel()
`
    const { stdout, stderr } = spawnSync(python, ['-c', program, join(spec, '..')], {
      encoding: 'utf8',
    })
    assert.equal(stdout, '42\nok\n', stderr)
  },
)

for (const [what, args, message] of [
  [
    'two places',
    ['--user', '--prefix', 'p'],
    /--user, --prefix and --sys-prefix exclude each other/,
  ],
  ['a name with a space', ['--name', 'a b'], /--name is "a b"; only letters/],
  ['a name that leaves the folder', ['--name', '../x'], /--name is "\.\.\/x"/],
  [
    '--sys-prefix without an environment',
    ['--sys-prefix'],
    /neither VIRTUAL_ENV nor CONDA_PREFIX is set/,
  ],
] as const) {
  test(`${what} is a usage error`, async () => {
    const { code, stderr } = await command(['install', ...args], { env: clean })
    assert.equal(code, 2)
    assert.match(stderr, message)
  })
}

test(
  'a place that takes no folders is told, with exit code 1',
  { skip: existsSync('/proc/self') ? false : 'no /proc' },
  async () => {
    const { code, stderr } = await command(['install', '--prefix', '/proc/none'])
    assert.equal(code, 1)
    assert.match(
      stderr,
      /cannot install into \/proc\/none\/share\/jupyter\/kernels\/qemu-vtop: ENOENT/,
    )
  },
)
