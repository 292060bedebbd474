// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/dump/open.ts and core/dump/file.ts: what a file is, by its content alone.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { bytesAsFile, openFile } from '../../../core/dump/file.ts'
import { formats, openPages } from '../../../core/dump/open.ts'
import { DumpError, FormatError } from '../../../core/errors.ts'
import { buildElf } from '../../build/elf.ts'
import { buildKdump } from '../../build/kdump.ts'
import { buildLime } from '../../build/lime.ts'
import { patterned } from '../../build/pages.ts'

const pages = patterned([1, 2])
const folder = mkdtempSync(join(tmpdir(), 'open-test-'))
after(() => {
  rmSync(folder, { recursive: true })
})

describe('openPages', () => {
  const known: readonly [name: string, bytes: Uint8Array][] = [
    ['kdump-compressed', buildKdump({ pages }).bytes],
    ['ELF', buildElf({ segments: [{ paddr: 4096, data: pages.get(1) ?? new Uint8Array() }] })],
    ['LiME', buildLime([{ start: 4096, data: pages.get(1) ?? new Uint8Array() }])],
    ['AVML', buildLime([{ start: 4096, data: pages.get(1) ?? new Uint8Array(), packed: true }])],
  ]
  for (const [name, bytes] of known) {
    it(`knows ${name} by its content, whatever the file's name`, () => {
      const path = join(folder, `${name}.txt`)
      writeFileSync(path, bytes)
      const source = openPages(path)
      assert.equal(source.facts.format, name)
      assert.deepEqual(source.page(1), pages.get(1))
      source.close()
    })
  }

  it('names every format that it looked for, and the first bytes, when it knows none', () => {
    const bytes = Uint8Array.from({ length: 20 }, (_, i) => i)
    assert.throws(
      () => openPages(bytesAsFile('notes.txt', bytes)),
      (error) => {
        assert.ok(error instanceof FormatError)
        assert.match(error.message, /^notes\.txt is no dump that is known here/)
        assert.match(error.message, /begins with 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f;/)
        for (const { name, looksFor } of formats) {
          assert.ok(error.message.includes(`${name} (${looksFor})`), name)
        }
        return true
      },
    )
  })

  it('says that an empty file is empty', () => {
    assert.throws(() => openPages(bytesAsFile('vmcore', new Uint8Array())), /it is empty/)
  })

  it('says which part is missing of a file that is only a signature', () => {
    for (const start of ['KDUMP   ', '\x7fELF']) {
      const bytes = new TextEncoder().encode(start)
      assert.throws(
        () => openPages(bytesAsFile('vmcore', bytes)),
        (error) => error instanceof FormatError && /but the file ends at/.test(error.message),
      )
    }
  })
})

describe('openFile', () => {
  it('says when there is no such file, and where it was looked for', () => {
    for (const [path, place] of [
      [join(folder, 'none'), ''],
      ['none', ` (in ${process.cwd()})`],
    ] as const) {
      const message = `cannot open the dump '${path}'${place}: there is no such file`
      assert.throws(() => openFile(path), new DumpError('open', message))
    }
  })

  it('does not wait at a pipe, and refuses folders', () => {
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    for (const path of [pipe, folder]) {
      assert.throws(
        () => openFile(path),
        (error) => error instanceof DumpError && /not a regular file/.test(error.message),
      )
    }
  })

  it('reads exactly what is asked for, and throws FormatError behind the end', () => {
    const path = join(folder, 'ten')
    writeFileSync(path, '0123456789')
    const file = openFile(path)
    assert.equal(new TextDecoder().decode(file.read(3, 4, 'digits')), '3456')
    for (const [offset, length] of [
      [8, 3],
      [-1, 2],
      [11, 0],
      [2 ** 53, 1],
      [NaN, 1],
      [0.5, 1],
    ] as const) {
      assert.throws(
        () => file.read(offset, length, 'digits'),
        (error) => error instanceof FormatError && error.field === 'digits',
      )
    }
    file.close()
  })

  it('notices that the file became shorter after it was opened', () => {
    const path = join(folder, 'shrinking')
    writeFileSync(path, '0123456789')
    const file = openFile(path)
    writeFileSync(path, '012')
    assert.throws(
      () => file.read(0, 10, 'digits'),
      (error) => error instanceof FormatError && error.field === 'digits',
    )
    file.close()
  })
})
