// SPDX-License-Identifier: GPL-2.0-or-later
// Kernel symbols: real dumps against /proc/kallsyms of the host, written tables of every era, tables that lie.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { openPages } from '../../../core/dump/open.ts'
import { DumpError, FormatError, MissingError } from '../../../core/errors.ts'
import { KernelSpace } from '../../../core/space/kva.ts'
import { PhysicalMemory } from '../../../core/space/physical.ts'
import { openKallsyms } from '../../../core/symbols/kallsyms.ts'
import { parseVmcoreinfo } from '../../../core/vmcoreinfo/parse.ts'
import { stext, writeKallsyms, type KallsymsEra, type WrittenSymbol } from '../../build/kallsyms.ts'
import { kernels, realDump } from '../../place.ts'

/** The lines of a host's /proc/kallsyms that are about the kernel itself. */
function procKallsyms(folder: string): { address: bigint; name: string }[] {
  const text = gunzipSync(readFileSync(join(folder, 'kallsyms.txt.gz'))).toString()
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.includes('['))
    .map((line) => {
      const [address = '', , name = ''] = line.split(' ')
      return { address: BigInt(`0x${address}`), name }
    })
}

function openReal(path: string, withoutKeys = false) {
  const source = openPages(path)
  const text = source.vmcoreinfo ?? ''
  const vmcoreinfo = parseVmcoreinfo(
    withoutKeys ? text.replace(/^SYMBOL\(kallsyms_.*\n/gm, '') : text,
  )
  const space = new KernelSpace(
    new PhysicalMemory(source),
    vmcoreinfo.number('phys_base') ?? 0n,
    0x40000000n,
  )
  return openKallsyms(space, vmcoreinfo)
}

for (const kernel of kernels) {
  const { folder, path, skip } = realDump(kernel)
  for (const withoutKeys of [false, true]) {
    const how = withoutKeys ? ', found by content' : ''
    it(`gives every address that /proc/kallsyms of ${kernel} had${how}`, { skip }, () => {
      const symbols = openReal(path, withoutKeys)
      const lines = procKallsyms(folder)
      assert.ok(lines.length > 40)
      const found = symbols.find(lines.map(({ name }) => name))
      for (const { address, name } of lines) {
        assert.ok(found.get(name)?.includes(address), `${name} at ${address.toString(16)}`)
      }
    })
  }

  it(`finds the way back from an address of ${kernel}, and the sizes of symbols`, { skip }, () => {
    const symbols = openReal(path)
    const task = symbols.address('init_task') ?? 0n
    assert.deepEqual(symbols.nearest(task + 0x123n), {
      name: 'init_task',
      address: task,
      offset: 0x123,
    })
    const next = symbols.nearest(task + BigInt(symbols.size('init_task') ?? 0))
    assert.equal(next?.offset, 0)
    assert.notEqual(next.name, 'init_task')
    assert.equal(symbols.nearest(0xffff888000000000n), undefined)
    assert.equal(symbols.nearest(0xfffffffffffff000n), undefined)
    assert.ok(symbols.near('init_tsk').includes('init_task'))
    assert.ok(symbols.names('init_tas', 10).includes('init_task'))
    assert.equal(symbols.names('', 7).length, 7)
  })
}

const eras: readonly KallsymsEra[] = [
  {
    name: '2.6.32 to 4.5: absolute addresses first, wide markers',
    ...{ rule: 'absolute', order: 'addresses first', sequences: 'none' },
    ...{ align: 8, markerBytes: 8, wide: false },
  },
  {
    name: '4.6 to 4.19: per-cpu rule, wide markers',
    ...{ rule: 'absolute per-cpu', order: 'addresses first', sequences: 'none' },
    ...{ align: 8, markerBytes: 8, wide: false },
  },
  {
    name: '5.10: per-cpu rule, narrow markers',
    ...{ rule: 'absolute per-cpu', order: 'addresses first', sequences: 'none' },
    ...{ align: 8, markerBytes: 4, wide: false },
  },
  {
    name: '6.2: sequences behind the markers',
    ...{ rule: 'absolute per-cpu', order: 'addresses first', sequences: 'behind markers' },
    ...{ align: 8, markerBytes: 4, wide: true },
  },
  {
    name: '6.5 without relative addresses: absolute last',
    ...{ rule: 'absolute', order: 'addresses last', sequences: 'last' },
    ...{ align: 8, markerBytes: 4, wide: true },
  },
  {
    name: '6.12: per-cpu rule, addresses last',
    ...{ rule: 'absolute per-cpu', order: 'addresses last', sequences: 'last' },
    ...{ align: 8, markerBytes: 4, wide: true },
  },
  {
    name: '6.16: relative to a base',
    ...{ rule: 'relative', order: 'addresses last', sequences: 'last' },
    ...{ align: 8, markerBytes: 4, wide: true },
  },
  {
    name: '7.0: relative to the place, aligned to 4',
    ...{ rule: 'place-relative', order: 'addresses last', sequences: 'last' },
    ...{ align: 4, markerBytes: 4, wide: true },
  },
]

/** 1,500 symbols: aliases, a static name four times, a name of 200 letters, per-cpu offsets where the era has them. */
function symbolsFor(era: KallsymsEra): WrittenSymbol[] {
  const symbols: WrittenSymbol[] = []
  if (era.rule === 'absolute per-cpu') {
    symbols.push(['__per_cpu_start', 'A', 0n], ['cpu_hot', 'A', 0x1000n])
  }
  symbols.push(['_stext', 'T', stext], ['_text', 'T', stext])
  for (let i = 0; i < 1500; i++) {
    const name = i % 400 === 7 ? 'static_one' : `sym_${i.toString().padStart(4, '0')}`
    symbols.push([name, i % 2 === 0 ? 't' : 'D', stext + 0x100n + BigInt(i) * 0x40n])
  }
  symbols.push([longName, 'R', stext + 0x20000n], ['_end', 'B', stext + 0x21000n])
  return symbols
}

const longName = `long${'.xyz'.repeat(49)}`

for (const era of eras) {
  for (const withKeys of [true, false]) {
    it(`reads the tables of ${era.name}, found ${withKeys ? 'by keys' : 'by content'}`, () => {
      const written = writeKallsyms(symbolsFor(era), era)
      const vmcoreinfo = parseVmcoreinfo(withKeys ? written.keys : written.noKeys)
      const symbols = openKallsyms(written.space, vmcoreinfo)
      const wanted = new Map<string, bigint[]>()
      for (const [name, , address] of symbolsFor(era)) {
        wanted.set(name, [...(wanted.get(name) ?? []), address])
      }
      assert.deepEqual(symbols.find([...wanted.keys(), 'not_there']), wanted.set('not_there', []))
      assert.equal(symbols.address('not_there'), undefined)
      assert.equal(symbols.size('_stext'), 0x100)
      assert.equal(symbols.size('_end'), undefined)
      assert.equal(symbols.nearest(stext + 5n)?.name, '_stext')
      assert.equal(symbols.nearest(stext + 0x20010n)?.name, longName)
      assert.deepEqual(symbols.names('sym_000', 3), ['sym_0000', 'sym_0001', 'sym_0002'])
      assert.deepEqual(symbols.near('sym_0042').slice(0, 1), ['sym_0042'])
    })
  }
}

describe('tables that lie', () => {
  const era = eras[5]
  assert.ok(era !== undefined)
  const write = () => writeKallsyms(symbolsFor(era), era)
  const place = (written: ReturnType<typeof write>, table: string) =>
    Number((written.tables.get(table) ?? 0n) & 0x7fffffffn)

  it('refuses a count of symbols that its names cannot have', () => {
    for (const count of [0, 1, 1400, 3_999_999, 0xffffffff]) {
      const written = write()
      written.memory.u32(place(written, 'num_syms'), count)
      assert.throws(
        () => openKallsyms(written.space, parseVmcoreinfo(written.keys)).address('_stext'),
        FormatError,
        `count ${count}`,
      )
    }
  })

  it('refuses a token index that does not agree with the tokens', () => {
    const written = write()
    written.memory.u8(place(written, 'token_index') + 2, 0xff)
    assert.throws(() => openKallsyms(written.space, parseVmcoreinfo(written.keys)), /token 1 /)
  })

  it('says what each rule gave when none agrees with _stext', () => {
    const written = write()
    const keys = written.keys.replace(/SYMBOL\(_stext\)=.*/, 'SYMBOL(_stext)=ffffffff81234560')
    const symbols = openKallsyms(written.space, parseVmcoreinfo(keys))
    assert.throws(
      () => symbols.address('_text'),
      /gives _stext .*0xffffffff81234560: place-relative/,
    )
  })

  it('says that no table was found when there is none', () => {
    const written = write()
    written.memory.u8(place(written, 'token_table') + 1, 0)
    const vmcoreinfo = parseVmcoreinfo(written.noKeys)
    assert.throws(
      () => openKallsyms(written.space, vmcoreinfo),
      /no symbol table \(kallsyms\) was found/,
    )
  })

  it('wants the address of _stext', () => {
    const written = write()
    const vmcoreinfo = parseVmcoreinfo(written.keys.replace(/SYMBOL\(_stext\).*\n/, ''))
    assert.throws(() => openKallsyms(written.space, vmcoreinfo), MissingError)
  })

  it('gives up a search in memory that is full of counts and of digits', () => {
    const written = write()
    const from = place(written, 'num_syms')
    written.memory.u8(place(written, 'token_table') + 1, 0)
    const digits = Buffer.from('0\x001\x002\x003\x004\x005\x006\x007\x008\x009\x00')
    for (let at = 0; at < 1 << 20; at += 20) written.memory.bytes(from - (2 << 20) + at, digits)
    for (let at = 0; at < 1 << 20; at += 4) written.memory.u32(from - (1 << 20) + at, 0x010101)
    const started = Date.now()
    assert.throws(() => openKallsyms(written.space, parseVmcoreinfo(written.noKeys)), FormatError)
    assert.ok(Date.now() - started < 20_000)
  })

  it('ends soon, with an answer or a DumpError, whatever byte is changed', () => {
    const written = write()
    const from = place(written, 'num_syms')
    const to = place(written, 'seqs_of_names')
    let seed = 20261125
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
      return (seed >>> 8) % below
    }
    const started = Date.now()
    for (let round = 0; round < 150; round++) {
      const at = from + random(to - from)
      const page = written.memory.page(at >> 12)
      assert.ok(page instanceof Uint8Array)
      const old = page[at & 0xfff] ?? 0
      page[at & 0xfff] = random(256)
      for (const keys of [written.keys, written.noKeys]) {
        try {
          const symbols = openKallsyms(written.space, parseVmcoreinfo(keys))
          symbols.find(['sym_0001', 'static_one'])
          symbols.nearest(stext + 0x1234n)
        } catch (error) {
          assert.ok(error instanceof DumpError, String(error))
        }
      }
      page[at & 0xfff] = old
    }
    assert.ok(Date.now() - started < 60_000)
  })
})
