// SPDX-License-Identifier: GPL-2.0-or-later
// The startup snapshot's life: a kernel makes it, later ones start from it, and nothing is left half-done.
import assert from 'node:assert/strict'
import { mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, suite, test } from 'node:test'
import { eventually, isAlive, type TestKernel } from '../testkernel.ts'
import { builderOf, Cache, usesSnapshot } from './cache.ts'

suite('the startup snapshot', () => {
  let cache: Cache
  let kernels: TestKernel[] = []
  const start = async (home?: string): Promise<TestKernel> => {
    const kernel = await cache.start(home)
    kernels.push(kernel)
    return kernel
  }
  beforeEach(() => {
    cache = new Cache()
  })
  afterEach(async () => {
    await Promise.all(kernels.map((kernel) => kernel.stop()))
    kernels = []
    cache.remove()
  })

  test('is made after the first cell, for the user alone, in place of the oldest, and is used', async () => {
    // Of other versions, the newest first: two of them stay.
    const others = ['c', 'b', 'a'].map((digit) => `compiler-${digit.repeat(32)}-00000000.blob`)
    mkdirSync(cache.folder, { mode: 0o700 })
    for (const [age, name] of others.entries()) {
      const path = join(cache.folder, name)
      writeFileSync(path, 'of another version')
      utimesSync(path, 1_700_000_000 - age, 1_700_000_000 - age)
    }
    const first = await start()
    await new Promise((resolve) => setTimeout(resolve, 1500))
    assert.deepEqual(
      cache.names().sort(),
      others.toReversed(),
      'before a cell has run there is nothing to be made',
    )
    assert.equal(await first.value('const x: number = 1; x'), '1')
    assert.ok(!usesSnapshot(first))
    const { path } = await cache.made()
    const kept = [path.slice(cache.folder.length + 1), ...others.slice(0, 2)].sort()
    assert.ok(await eventually(() => cache.names().length === 3, 5_000), cache.names().join())
    assert.deepEqual(cache.names().sort(), kept)
    assert.equal(statSync(cache.folder).mode & 0o777, 0o700)
    assert.equal(statSync(path).mode & 0o777, 0o600)

    const second = await start()
    assert.ok(usesSnapshot(second))
    assert.equal(await second.value('[1, 2].map((x) => x + 1)'), '[ 2, 3 ]')
    assert.match(
      (await second.execute('const s: string = 1')).reply.content['evalue'] as string,
      /TS2322|not assignable/,
    )
    assert.equal(second.log, '')
  })

  test('is made once by two kernels that want it at the same time', async () => {
    const two = await Promise.all([start(), start()])
    await Promise.all(two.map((kernel) => kernel.value('1')))
    const { path } = await cache.made()
    assert.ok(
      await eventually(() => two.every((kernel) => builderOf(kernel) === undefined), 60_000),
    )
    assert.deepEqual(cache.names(), [path.slice(cache.folder.length + 1)])
    assert.deepEqual(
      two.map(({ log }) => log),
      ['', ''],
    )
  })

  for (const how of ['is shut down', 'is killed'] as const) {
    test(`leaves no process when the kernel ${how} while it is made`, async () => {
      const kernel = await start()
      await kernel.value('1')
      assert.ok(await eventually(() => builderOf(kernel) !== undefined, 20_000))
      const processes = kernel.processes()
      if (how === 'is killed') kernel.process.kill('SIGKILL')
      else await kernel.request('control', 'shutdown_request', { restart: false })
      assert.ok(await eventually(() => !processes.some(isAlive), 5_000), 'a process is left')
      if (how === 'is shut down') assert.deepEqual(cache.names(), [])
      else {
        // What it had begun is taken away by the next one that makes it.
        assert.match(cache.names().join(), /^compiler-\d+\.tmp$/)
        await (await start()).value('1')
        const { path } = await cache.made()
        assert.deepEqual(cache.names(), [path.slice(cache.folder.length + 1)])
      }
    })
  }

  test('is not made where no folder can be made, which is told in the log and costs nothing else', async () => {
    const file = join(cache.home, 'file')
    writeFileSync(file, '')
    const kernel = await start(file)
    assert.equal(await kernel.value('1'), '1')
    assert.ok(await eventually(() => kernel.log !== '', 20_000))
    assert.match(kernel.log, /no snapshot of the compiler was made in .*: ENOTDIR/)
    assert.equal(await kernel.value('2'), '2')
  })
})
