// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/dump/pipe.ts: dumps out of named pipes, of a shell's pipes and of sockets.

import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { openPages } from '../../../core/dump/open.ts'
import { DumpError, FormatError } from '../../../core/errors.ts'
import { buildFlat, cutIntoRecords } from '../../build/flat.ts'
import { whileListening } from '../../build/listen.ts'
import { buildKdump } from '../../build/kdump.ts'
import { patterned } from '../../build/pages.ts'

const folder = mkdtempSync(join(tmpdir(), 'pipe-test-'))
const room = join(folder, 'tmp')
mkdirSync(room)
const before = process.env['TMPDIR']
process.env['TMPDIR'] = room
after(() => {
  if (before === undefined) delete process.env['TMPDIR']
  else process.env['TMPDIR'] = before
  rmSync(folder, { recursive: true })
})

const pages = patterned([1, 2, 4000])
const kdump = buildKdump({ pages, codec: 'zlib' }).bytes
// More than a pipe holds, so that it is filled and emptied by turns.
const flat = buildFlat(cutIntoRecords(kdump, 5000))

let count = 0
function file(bytes: Uint8Array): string {
  const path = join(folder, `file-${++count}`)
  writeFileSync(path, bytes)
  return path
}

/** A named pipe that a shell command writes into. */
function pipe(command: string): string {
  const path = join(folder, `pipe-${++count}`)
  execFileSync('mkfifo', [path])
  spawn('sh', ['-c', `{ ${command}; } > '${path}'`], { stdio: 'ignore' })
  return path
}

describe('A dump out of a pipe', () => {
  const written: readonly [how: string, command: string][] = [
    ['as it is', `cat ${file(kdump)}`],
    ['flattened', `cat ${file(flat)}`],
    ['slowly', `head -c 10 ${file(flat)}; sleep 0.3; tail -c +11 ${file(flat)}`],
    ['by a writer that comes late', `cat ${file(kdump)}`],
  ]
  for (const [how, command] of written) {
    it(`${how} is the dump, and its temporary file has no name`, () => {
      const path = pipe(how.includes('late') ? `sleep 0.3; ${command}` : command)
      const source = openPages(path)
      for (const [pfn, page] of pages) assert.deepEqual(source.page(pfn), page)
      assert.deepEqual(source.facts.remarks, [])
      assert.deepEqual(readdirSync(room), [])
      source.close()
    })
  }

  it('that ends too early is used up to its last whole record, with a remark', () => {
    const inOrder = buildFlat(cutIntoRecords(kdump, 20).toSorted(([a], [b]) => a - b))
    const source = openPages(pipe(`head -c ${inOrder.length - 20} ${file(inOrder)}`))
    assert.deepEqual(source.page(1), pages.get(1))
    assert.match(
      source.facts.remarks.join(),
      /the flattened stream is cut off: .* without an end mark/,
    )
    source.close()
  })

  it('is told while it is read', () => {
    const seen: number[] = []
    const path = pipe(`cat ${file(kdump)}`)
    whileListening(
      (bytes) => seen.push(bytes),
      () => openPages(path),
    ).close()
    assert.ok(seen.length > 1)
    assert.equal(
      seen.reduce((sum, bytes) => sum + bytes, 0),
      kdump.length,
    )
  })

  it('that is no dump, or a flattened one in a flattened one, is refused', () => {
    const twice = buildFlat(cutIntoRecords(flat, 5000).toReversed())
    const first = buildFlat([[0, flat.slice(0, 5000)]])
    for (const bytes of [twice, first]) {
      assert.throws(() => openPages(pipe(`cat ${file(bytes)}`)), /flattened file in a flattened/)
    }
    assert.throws(
      () => openPages(pipe(`cat ${file(new Uint8Array(9))}`)),
      (error) => error instanceof FormatError && /no dump that is known/.test(error.message),
    )
  })

  it('says where it could not be kept, and why', () => {
    process.env['TMPDIR'] = join(folder, 'nowhere')
    const path = pipe(`cat ${file(kdump)}`)
    try {
      assert.throws(
        () => openPages(path),
        (error) =>
          error instanceof DumpError && /^cannot keep in .*nowhere .*ENOENT/.test(error.message),
      )
    } finally {
      process.env['TMPDIR'] = room
    }
  })
})

describe('A dump on stdin', () => {
  const program = `
    import { openPages } from ${JSON.stringify(new URL('../../../core/dump/open.js', import.meta.url).href)}
    try {
      const source = openPages('/dev/stdin')
      console.log(Buffer.from(source.page(4000)).toString('hex'))
    } catch (error) { console.log(error.message) }`
  const args = ['--input-type=module', '-e', program]
  const page = Buffer.from(pages.get(4000) ?? []).toString('hex')

  it('is read from a shell pipe, from a socket and from a file', () => {
    const path = file(flat)
    const node = `'${process.execPath}' --input-type=module -e "$PROGRAM"`
    const env = { ...process.env, PROGRAM: program }
    for (const command of [`cat ${path} | ${node}`, `${node} < ${path}`]) {
      const { stdout } = spawnSync('sh', ['-c', command], { encoding: 'utf8', env })
      assert.equal(stdout.trim(), page, command)
    }
    // What Node calls a pipe to a child is a socket.
    const { stdout } = spawnSync(process.execPath, args, { input: flat, encoding: 'utf8' })
    assert.equal(stdout.trim(), page)
  })

  it('that is empty says so at once', () => {
    const { stdout } = spawnSync(process.execPath, args, { input: '', encoding: 'utf8' })
    assert.match(stdout, /nothing came out of the pipe '\/dev\/stdin': did the command .* fail\?/)
  })
})
