// SPDX-License-Identifier: GPL-2.0-or-later
// Starting kernels that do not start, and leaving nothing behind.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { launchKernel, type LaunchOptions } from '../../../kernel/client/launch.ts'
import { kernelArgv } from '../../../kernel/client/spec.ts'

// Connection files of these tests lie in a folder of their own, so that what is left can be seen.
const folder = mkdtempSync(join(tmpdir(), 't-'))
const tmpBefore = process.env['TMPDIR']
before(() => {
  process.env['TMPDIR'] = folder
})
after(() => {
  if (tmpBefore === undefined) delete process.env['TMPDIR']
  else process.env['TMPDIR'] = tmpBefore
  rmSync(folder, { recursive: true })
})

function script(code: string): LaunchOptions {
  return { argv: (file) => [process.execPath, '-e', code, file] }
}

/** The kernel must not start; gives the message. */
async function failure(options: LaunchOptions): Promise<string> {
  let message = ''
  await assert.rejects(launchKernel(options), (error: Error) => {
    assert.equal(error.name, 'KernelError')
    message = error.message
    return true
  })
  assert.deepEqual(readdirSync(folder), [], 'the connection file is left behind')
  return message
}

async function gone(pid: number): Promise<boolean> {
  for (let i = 0; i < 100; i++) {
    try {
      process.kill(pid, 0)
    } catch {
      return true
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return false
}

test('a kernel that ends at once is told with its exit code and its last words', async () => {
  const message = await failure(script('console.error("no such thing"); process.exit(3)'))
  assert.match(message, /^the kernel did not start: its process ended with exit code 3/)
  assert.match(message, /no such thing/)
})

test('a command that is not there is told by name', async () => {
  const message = await failure({ argv: () => ['/no/such/node', 'x'] })
  assert.match(message, /it could not be run: spawn \/no\/such\/node ENOENT/)
})

test('a kernel that never answers is given up and killed, with all it started', async () => {
  const started = join(folder, 'pids')
  const code = `
    const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e9)'])
    require('node:fs').writeFileSync(${JSON.stringify(started)}, process.pid + ' ' + child.pid)
    process.on('SIGTERM', () => {})
    setInterval(() => {}, 1e9)`
  await assert.rejects(
    launchKernel({ ...script(code), patience: 1_000 }),
    /it does not answer kernel_info_request within 1 s; its process ended by signal SIGKILL/,
  )
  const pids = readFileSync(started, 'utf8').split(' ').map(Number)
  rmSync(started)
  assert.equal(pids.length, 2)
  for (const pid of pids) assert.ok(await gone(pid), `process ${pid} still runs`)
  assert.deepEqual(readdirSync(folder), [])
})

test('a port that was taken in between is not the end: others are tried, three times at most', async () => {
  const count = join(folder, 'count')
  const code = `require('node:fs').appendFileSync(${JSON.stringify(count)}, 'x')
    console.error('Error: EADDRINUSE: Address already in use'); process.exit(1)`
  await assert.rejects(launchKernel({ ...script(code), transport: 'tcp' }), /EADDRINUSE/)
  assert.equal(readFileSync(count, 'utf8'), 'xxx')
  rmSync(count)
})

for (const transport of ['ipc', 'tcp'] as const) {
  test(`this package's kernel starts over ${transport}, goes when told, and leaves nothing`, async () => {
    let file = ''
    const kernel = await launchKernel({
      transport,
      argv: (path) => {
        file = path
        return kernelArgv(path)
      },
    })
    assert.ok(existsSync(file))
    await kernel.stop(10_000)
    assert.match(await kernel.ended, /^its process ended with exit code 0/)
    assert.deepEqual(readdirSync(folder), [])
  })
}
