// SPDX-License-Identifier: GPL-2.0-or-later
// Snapshots that are damaged, foreign or unfit: they only cost time.
import assert from 'node:assert/strict'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { after, afterEach, before, suite, test } from 'node:test'
import {
  crcOf,
  findSnapshot,
  snapshotFolder,
  snapshotKey,
  snapshotName,
} from '../../../../kernel/front/snapshot/find.ts'
import { eventually, isCompiler, type TestKernel } from '../testkernel.ts'
import { Cache, usesSnapshot } from './cache.ts'

suite('a snapshot', () => {
  const good = new Cache()
  let blob = ''
  let cache: Cache
  let kernel: TestKernel | undefined
  before(async () => {
    const maker = await good.start()
    await maker.value('1')
    blob = (await good.made()).path
    await maker.stop()
  })
  after(() => {
    good.remove()
  })
  afterEach(async () => {
    await kernel?.stop()
    kernel = undefined
    cache.remove()
  })

  /** A folder with a copy of the good one in it. */
  function copied(): string {
    cache = new Cache()
    mkdirSync(cache.folder, { mode: 0o700 })
    const path = join(cache.folder, basename(blob))
    copyFileSync(blob, path)
    return path
  }

  test('that is whole is found', () => {
    const path = copied()
    assert.equal(findSnapshot(cache.folder)?.path, path)
  })

  const unfit: Readonly<Record<string, (path: string) => void>> = {
    'is garbage': (path) => {
      writeFileSync(path, 'x'.repeat(1000))
    },
    'is empty': (path) => {
      truncateSync(path, 0)
    },
    'is cut': (path) => {
      truncateSync(path, 40_000_000)
    },
    'has one wrong bit near its end': (path) => {
      const bytes = readFileSync(path)
      const at = bytes.length - 100_000
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
      writeFileSync(path, bytes)
    },
    'was made for another version': (path) => {
      rmSync(path)
      copyFileSync(blob, join(cache.folder, snapshotName('0'.repeat(32), crcOf(blob))))
    },
    'others can write': (path) => {
      chmodSync(path, 0o622)
    },
    'lies where others can write': () => {
      chmodSync(cache.folder, 0o777)
    },
    'is a link': (path) => {
      rmSync(path)
      symlinkSync(blob, path)
    },
    'is a folder': (path) => {
      rmSync(path)
      mkdirSync(path)
    },
  }
  for (const [what, make] of Object.entries(unfit)) {
    test(`that ${what} is not used`, () => {
      make(copied())
      assert.equal(findSnapshot(cache.folder), undefined)
    })
  }

  test('is not used when it is turned off', () => {
    copied()
    process.env['QEMU_VTOP_SNAPSHOT'] = 'off'
    assert.equal(findSnapshot(cache.folder), undefined)
    delete process.env['QEMU_VTOP_SNAPSHOT']
    assert.notEqual(findSnapshot(cache.folder), undefined)
  })

  // Whoever writes the right sum into the name of a wrong file finds that Node refuses it, or that the process falls.
  for (const length of [1000, 30_000_000]) {
    test(`of ${length} bytes that Node does not start from is taken away, and the cell waits for a plain start`, async () => {
      const path = copied()
      truncateSync(path, length)
      const bad = join(cache.folder, snapshotName(snapshotKey(), crcOf(path)))
      copyFileSync(path, bad)
      rmSync(path)
      assert.equal(findSnapshot(cache.folder)?.path, bad)
      kernel = await cache.start()
      assert.equal(await kernel.value('const x: number = 5; x'), '5')
      assert.ok(!usesSnapshot(kernel))
      assert.match(kernel.log, /does not start from .*: it is started without/)
      assert.ok(!cache.names().includes(basename(bad)))
    })
  }

  test('that falls later leaves all names to the plain compiler after it', async () => {
    copied()
    kernel = await cache.start()
    assert.equal(await kernel.value('const kept: number = 5; kept'), '5')
    assert.ok(usesSnapshot(kernel))
    const compiler = kernel.processes().find(isCompiler)
    process.kill(compiler ?? -1, 'SIGKILL')
    assert.ok(await eventually(() => /compiler ended/.test(kernel?.log ?? ''), 5000))
    assert.equal(await kernel.value('kept + 1'), '6')
    assert.ok(!usesSnapshot(kernel))
  })

  test('has its place in the cache folder of each system', () => {
    const env = { HOME: '/home/me' }
    assert.equal(snapshotFolder(env, 'linux'), '/home/me/.cache/qemu-vtop')
    assert.equal(snapshotFolder({ ...env, XDG_CACHE_HOME: '/c' }, 'linux'), '/c/qemu-vtop')
    assert.equal(
      snapshotFolder({ ...env, XDG_CACHE_HOME: 'c' }, 'linux'),
      '/home/me/.cache/qemu-vtop',
    )
    assert.equal(snapshotFolder(env, 'darwin'), '/home/me/Library/Caches/qemu-vtop')
  })

  test('is another one for other flags of Node', () => {
    assert.notEqual(snapshotKey({ NODE_OPTIONS: '--no-warnings' }), snapshotKey({}))
    assert.equal(snapshotKey({ HOME: '/x' }), snapshotKey({}))
  })
})
