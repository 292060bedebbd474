// SPDX-License-Identifier: GPL-2.0-or-later
// The same dump in every format that makedumpfile and other tools write: the same pages, and the same answers.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { codecs } from '../../core/codec/index.ts'
import { openPages } from '../../core/dump/open.ts'
import { isZero } from '../../core/dump/pagecache.ts'
import { DumpError, type HostDump, openDump, type OpenOptions, qemuVtop } from '../../core/index.ts'
import { realDump } from '../place.ts'
import { truthOf } from '../truth.ts'
import { copyAsElf, halfOf, makedumpfile, noMakedumpfile } from './makedumpfile.ts'
import { writeKdump, writeLime, writeRaw } from './rewritten.ts'

const KERNEL = '5.10'
const { path: original, skip: noDump } = realDump(KERNEL)
const skip = noMakedumpfile === false ? noDump : noMakedumpfile
const folder = mkdtempSync(join(tmpdir(), 'formats-test-'))
const at = (name: string) => join(folder, name)
after(() => {
  rmSync(folder, { recursive: true })
})

interface Row {
  readonly name: string
  readonly format: string
  /** Makes the files and gives them. */
  readonly make: () => string[]
  readonly needs?: string
  /** Pages of zeros are left out, and nothing in the file tells them from others that are. */
  readonly zeros?: boolean
}

/** What makedumpfile does not write. */
interface RewrittenRow {
  readonly name: string
  readonly format: string
  readonly codec?: string
  /** Makes the file, and gives what it must be opened with. */
  readonly make: (path: string) => OpenOptions
}

const one = (name: string, args: readonly string[]) => () => {
  const flat = args.includes('-F')
  makedumpfile(
    [...args, ...(flat ? [original] : [original, at(name)])],
    flat ? at(name) : undefined,
  )
  return [at(name)]
}
const ofElf = (name: string, args: readonly string[]) => () => {
  const flat = args.includes('-F')
  makedumpfile([...args, at('elf'), ...(flat ? [] : [at(name)])], flat ? at(name) : undefined)
  return [at(name)]
}
const parts = ['part1', 'part2', 'part3'].map(at)

const rows: readonly Row[] = [
  { name: 'kdump, uncompressed', format: 'kdump-compressed', make: one('none', ['-d', '31']) },
  { name: 'kdump, zlib', format: 'kdump-compressed', make: one('zlib', ['-c', '-d', '31']) },
  {
    name: 'kdump, LZO',
    format: 'kdump-compressed',
    make: one('lzo', ['-l', '-d', '31']),
    needs: 'lzo',
  },
  {
    name: 'kdump, zlib, zeros too',
    format: 'kdump-compressed',
    make: one('zero', ['-c', '-d', '0']),
  },
  {
    name: 'flattened kdump',
    format: 'kdump-compressed',
    make: one('flat', ['-F', '-c', '-d', '31']),
  },
  { name: 'ELF of everything', format: 'ELF', make: () => [at('elf')] },
  { name: 'ELF', format: 'ELF', make: ofElf('elf31', ['-E', '-d', '31']), zeros: true },
  {
    name: 'flattened ELF',
    format: 'ELF',
    make: ofElf('flatelf', ['-F', '-E', '-d', '31']),
    zeros: true,
  },
  {
    name: 'kdump of that ELF',
    format: 'kdump-compressed',
    make: ofElf('kdump', ['-c', '-d', '31']),
  },
  {
    name: 'split in three, shuffled',
    format: 'kdump-compressed',
    make() {
      makedumpfile(['-c', '-d', '31', '--split', '--splitblock-size', '1024', original, ...parts])
      return [1, 2, 0].map((i) => parts[i] ?? '')
    },
  },
]

const rewritten: readonly RewrittenRow[] = [
  ...(['snappy', 'zstd'] as const).map((codec) => ({
    name: `kdump, ${codec}`,
    format: 'kdump-compressed',
    codec,
    make(path: string) {
      writeKdump(original, path, codec)
      return {}
    },
  })),
  ...([false, true] as const).map((packed) => ({
    name: packed ? 'AVML, packed' : 'LiME',
    format: packed ? 'AVML' : 'LiME',
    ...(packed ? { codec: 'snappy' } : {}),
    make(path: string) {
      writeLime(original, path, packed)
      return {}
    },
  })),
  {
    name: 'raw memory in many ranges',
    format: 'raw',
    make: (path) => ({ format: 'raw', ranges: writeRaw(original, path) }),
  },
]

describe(`The dump of ${KERNEL} written again`, { skip: noDump }, () => {
  let wanted: string[]
  before(() => {
    const dump = openDump(original)
    wanted = answers(dump)
    dump.close()
  })

  for (const { name, format, codec, make } of rewritten) {
    const reason = codec === undefined || codecs.has(codec) ? false : `codec ${codec} is not built`
    it(`gives the same pages and answers: ${name}`, { skip: reason }, () => {
      const path = at(`rewritten-${name.replace(/\W+/g, '-')}`)
      const options = make(path)
      const { differ, equal, lacking } = compare([path], options)
      assert.deepEqual([differ, lacking], [0, 0])
      assert.ok(equal > 20_000)
      const other = openDump(path, options)
      assert.equal(other.facts.format, format)
      assert.deepEqual(answers(other), wanted)
      other.close()
      rmSync(path)
    })
  }
})

describe(`The dump of ${KERNEL} by makedumpfile`, { skip }, () => {
  let dump: HostDump
  let wanted: string[]
  before(() => {
    dump = openDump(original)
    copyAsElf(dump, at('elf'))
    wanted = answers(dump)
    assert.ok(wanted.length > 500)
  })
  after(() => {
    dump.close()
  })

  for (const { name, format, make, needs, zeros = false } of rows) {
    const reason = needs === undefined || codecs.has(needs) ? false : `codec ${needs} is not built`
    it(`gives the same pages and answers: ${name}`, { skip: reason }, () => {
      const files = make()
      const { differ, equal, lacking, zerosLacking, details } = compare(files)
      assert.equal(differ, 0)
      assert.equal(lacking, zeros ? zerosLacking : 0)
      assert.ok(equal > 20_000)
      for (const detail of details) assert.match(detail, /^excluded: .*or all zeros: .*not tell/)
      const other = openDump(files)
      assert.equal(other.facts.format, format)
      assert.deepEqual(answers(other), wanted)
      other.close()
    })
  }

  it('with one part of three missing gives no wrong page, and names the part', () => {
    const given = parts.slice(0, 2)
    const { differ, lacking, equal, details } = compare(given)
    assert.equal(differ, 0)
    assert.ok(lacking > 1000 && equal > 1000)
    for (const detail of details) assert.match(detail, /^lost: the page is in another part /)
    sameOrWhy(given, /another part of this split dump/)
  })

  const incomplete: readonly (readonly [name: string, args: readonly string[]])[] = [
    ['kdump', ['-c', '-d', '31']],
    ['ELF', ['-E', '-d', '31']],
  ]
  for (const [name, args] of incomplete) {
    it(`incomplete, gives no wrong page and says that it is: ${name}`, () => {
      const source = name === 'ELF' ? at('elf') : original
      const whole = at(`whole-${name}`)
      const out = at(`incomplete-${name}`)
      makedumpfile([...args, source, whole])
      makedumpfile([...args, '-L', halfOf(whole), source, out])
      const { differ, lacking, equal, details } = compare([out])
      assert.equal(differ, 0)
      assert.ok(lacking > 1000 && equal > 1000, `${lacking} lacking, ${equal} equal`)
      assert.ok([...details].some((detail) => /^lost: .*incomplete/.test(detail)))
      // ELF: zeros that were left out before it ran full.
      const why = name === 'ELF' ? /^lost: |^excluded: .*or all zeros/ : /^lost: .*incomplete/
      for (const detail of details) assert.match(detail, why)
    })
  }

  function sameOrWhy(files: readonly string[], why: RegExp): void {
    const other = openDump(files)
    const given = answers(other)
    other.close()
    for (const [i, answer] of given.entries()) {
      if (answer !== wanted[i]) assert.match(answer, why)
    }
  }
})

/** Every page of the original, in the other files. */
function compare(files: readonly string[], options: OpenOptions = {}) {
  const a = openPages(original)
  const b = openPages(files, options)
  const details = new Set<string>()
  let [equal, differ, lacking, zerosLacking] = [0, 0, 0, 0]
  for (let pfn = 0; pfn < a.endPfn; pfn++) {
    const page = a.page(pfn)
    if (!(page instanceof Uint8Array)) continue
    const other = b.page(pfn)
    if (other instanceof Uint8Array) {
      if (Buffer.compare(page, other) === 0) equal++
      else differ++
    } else {
      lacking++
      if (isZero(page)) zerosLacking++
      details.add(`${other.why}: ${other.detail}`)
    }
  }
  a.close()
  b.close()
  return { equal, differ, lacking, zerosLacking, details }
}

/** All recorded translations as JSON, or why there is none. */
function answers(dump: HostDump): string[] {
  return truthOf(KERNEL).vms.flatMap(({ pid, translations }) =>
    translations.map(({ gpa }) => {
      try {
        const answer = qemuVtop(dump.task(pid), gpa).toJSON()
        // Whether the content can be read depends on the level; level 31 leaves out pages of zram.
        return JSON.stringify({ ...answer, content: undefined })
      } catch (error) {
        if (error instanceof DumpError) return error.message
        throw error
      }
    }),
  )
}
