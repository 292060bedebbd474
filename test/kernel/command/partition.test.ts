// SPDX-License-Identifier: GPL-2.0-or-later
// translate --partition: what is there is kept, and a run that was killed is taken up where it ended.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { guestHva, smallHost } from '../../build/smallhost.ts'
import { realDump, root } from '../../place.ts'
import { truthOf } from '../../truth.ts'
import { command, commandFile } from './command.ts'

const folder = mkdtempSync(join(tmpdir(), 'test-partition-'))
after(() => {
  rmSync(folder, { recursive: true })
})

const sample = join(root, 'notebooks', 'sample.kdump')

/** Paths of the files below a folder, in order. */
function filesIn(tree: string): string[] {
  if (!existsSync(tree)) return []
  return readdirSync(tree, { recursive: true, encoding: 'utf8' })
    .filter((path) => statSync(join(tree, path)).isFile())
    .sort()
}

/** What a run is still writing: engines pass over names that begin with a dot. */
const isHidden = (path: string): boolean => /(^|\/)\.[^/]+\.part$/.test(path)

const parts = (tree: string): string[] => filesIn(tree).filter((path) => !isHidden(path))

/** Starts a partition, and kills it as soon as it has written some files and begun the next. */
async function killed(args: readonly string[], tree: string, written: number): Promise<void> {
  const before = parts(tree)
  for (let attempt = 0; attempt < 5; attempt++) {
    const child = spawn(process.execPath, [commandFile, ...args], { stdio: 'ignore' })
    const closed = new Promise((resolve) => {
      child.once('close', (_, signal) => {
        resolve(signal)
      })
    })
    const isBegun = (): boolean => filesIn(tree).some(isHidden)
    while (child.exitCode === null && !(parts(tree).length >= written && isBegun())) {
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    child.kill('SIGKILL')
    if ((await closed) === 'SIGKILL') return
    // A machine with much to do let it come to its end.
    for (const path of filesIn(tree)) if (!before.includes(path)) rmSync(join(tree, path))
  }
  assert.fail('it came to its end five times before it was killed')
}

test('a partition has a file for each guest, keeps what is there, and is the same again', async () => {
  const tree = join(folder, 'tree')
  const args = ['translate', sample, '--partition', tree, '--name', 'host 7/é']
  const first = await command(args)
  assert.equal(first.code, 0, first.stderr)
  const host = join(tree, 'dump=host%207%2F%C3%A9')
  const vms = readdirSync(host).sort()
  assert.ok(vms.length > 0 && vms.every((name) => /^vm=(pid-\d+|\w+)$/.test(name)), vms.join())
  const paths = vms.map((name) => join(host, name, 'part-0.parquet'))
  const before = paths.map((part) => readFileSync(part))
  const [kept, lost] = paths
  assert.ok(kept !== undefined && lost !== undefined && existsSync(kept))
  const time = statSync(kept).mtimeMs
  rmSync(lost)
  const second = await command(args)
  assert.match(second.stdout, /part-0\.parquet: there already\n/)
  assert.equal(statSync(kept).mtimeMs, time)
  for (const [i, part] of paths.entries()) assert.deepEqual(readFileSync(part), before[i])
})

const real = realDump('7.3')
test(
  'of a host whose run was killed, the second writes the guests that are missing, to the same bytes',
  { skip: real.skip },
  async () => {
    const [whole, tree] = [join(folder, 'whole'), join(folder, 'killed')]
    const argsFor = (out: string): string[] => ['translate', real.path, '--partition', out]
    assert.equal((await command(argsFor(whole))).code, 0)
    const wanted = parts(whole)
    assert.equal(wanted.length, truthOf('7.3').vms.length)

    await killed(argsFor(tree), tree, 1)
    const kept = parts(tree)
    assert.ok(kept.length > 0 && kept.length < wanted.length, kept.join())
    const times = kept.map((path) => statSync(join(tree, path)).mtimeMs)

    const second = await command(argsFor(tree))
    assert.equal(second.code, 0, second.stderr)
    const lines = second.stdout.trimEnd().split('\n')
    const there = lines.filter((line) => line.endsWith(': there already'))
    assert.deepEqual([lines.length, there.length], [wanted.length, kept.length])
    assert.deepEqual(
      kept.map((path) => statSync(join(tree, path)).mtimeMs),
      times,
    )
    assert.deepEqual(parts(tree), wanted)
    for (const path of wanted) {
      assert.deepEqual(readFileSync(join(tree, path)), readFileSync(join(whole, path)), path)
    }
  },
)

test('of a guest whose run was killed, the second writes the part that is missing, and what was left goes', async () => {
  // A part of 64 GiB and 4 GiB of the next.
  const pages = 2 ** 24 + 2 ** 20
  const slot = { id: 0, gpa: 0, pages, hva: guestHva }
  const vma = { start: guestHva, end: guestHva + BigInt(pages) * 0x1000n }
  const dump = join(folder, 'large.kdump')
  smallHost({}, { vms: [{ slots: [slot] }], vmas: [vma] }).save(dump, 'kdump')
  const tree = join(folder, 'large')
  const guest = join(tree, 'dump=large.kdump', 'vm=web01')
  const [first, second] = [join(guest, 'part-0.parquet'), join(guest, 'part-1.parquet')]
  mkdirSync(guest, { recursive: true })
  writeFileSync(first, 'written long ago')
  const args = ['translate', dump, '--partition', tree]
  await killed(args, tree, 1)
  const left = filesIn(tree).filter(isHidden)
  assert.equal(left.length, 1)

  const { stdout } = await command(args)
  assert.match(stdout, /part-0\.parquet: there already\n.*part-1\.parquet: 1,048,576 rows, /)
  assert.equal(readFileSync(first, 'utf8'), 'written long ago')
  // Another process may be at it still, for an hour.
  assert.deepEqual(filesIn(tree).filter(isHidden), left)

  const bytes = readFileSync(second)
  rmSync(second)
  const old = Date.now() / 1000 - 2 * 3600
  utimesSync(join(tree, left[0] ?? ''), old, old)
  assert.equal((await command(args)).code, 0)
  assert.deepEqual(filesIn(tree).filter(isHidden), [])
  assert.deepEqual(readFileSync(second), bytes)
})
