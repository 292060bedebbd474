// SPDX-License-Identifier: GPL-2.0-or-later
// Files of addresses as people have them, and as nobody should.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { tableFromArrays, tableToIPC, vectorFromArray, Int64, Uint32, Table } from 'apache-arrow'
import {
  addressBatches,
  type AddressOptions,
  DumpError,
  NO_ADDRESS,
  openDump,
  qemuVtop,
  readAddresses,
  writeTable,
} from '../../../core/index.ts'
import { seededRandom } from '../../build/random.ts'

const folder = mkdtempSync(join(tmpdir(), 'test-read-'))
after(() => {
  rmSync(folder, { recursive: true })
})

async function read(
  content: string | Uint8Array,
  options: AddressOptions = {},
): Promise<{ gpas: (number | null)[]; bad: string[] }> {
  const path = join(folder, 'addresses')
  writeFileSync(path, content)
  const gpas: (number | null)[] = []
  const bad: string[] = []
  for await (const batch of addressBatches(path, options)) {
    for (const gpa of batch.gpas) gpas.push(gpa === NO_ADDRESS ? null : Number(gpa))
    for (const { where, why } of batch.bad) bad.push(`${where}: ${why}`)
  }
  return { gpas, bad }
}

interface Case {
  readonly content: string | Uint8Array
  readonly options?: AddressOptions
  readonly gpas: readonly (number | null)[]
}

const good: Readonly<Record<string, Case>> = {
  'a text is hex, with or without 0x': { content: '10\n0X20\n0xfF\n', gpas: [0x10, 0x20, 0xff] },
  'a text has comments, empty lines and blanks': {
    content: '# all, of\n\n  10  # one\n\t\n20',
    gpas: [0x10, 0x20],
  },
  'a text has lines as Windows ends them': { content: '10\r\n20\r\n', gpas: [0x10, 0x20] },
  'a text begins with the mark of UTF-8': { content: '\ufeff10\n20\n', gpas: [0x10, 0x20] },
  'a text is decimal when that is said': {
    content: '10\n0x10\n',
    options: { radix: 10 },
    gpas: [10, 16],
  },
  'CSV is decimal, and hex with 0x': { content: 'gpa,t\n10,1\n0x10,2\n', gpas: [10, 16] },
  'CSV is hex when that is said': {
    content: 'gpa,t\n10,1\nff,2\n',
    options: { radix: 16 },
    gpas: [16, 255],
  },
  'CSV has the column in any place, and quotes': {
    content: '"t","gpa"\n"a,""b"" c","0x10"\n"two\nlines",0x20\n',
    gpas: [16, 32],
  },
  'CSV is separated by tabs or semicolons': { content: 't\tgpa\nx\t1\ny\t2\n', gpas: [1, 2] },
  'CSV of one column with its name': { content: 'gpa\n10\n', gpas: [10] },
  'CSV lines as Windows ends them': { content: 't,gpa\r\n1,0x10\r\n', gpas: [16] },
  'a column by its name': {
    content: 't,address\n1,0x10\n',
    options: { column: 'address' },
    gpas: [16],
  },
  'JSON lines have objects': { content: '{"t":1,"gpa":"0x10"}\n{"gpa":32}\n', gpas: [16, 32] },
  'JSON lines have the only name that there is': { content: '{"at":"0x10"}\n', gpas: [16] },
  'Arrow has columns of other types': {
    content: tableToIPC(tableFromArrays({ gpa: [4096, 8192] })),
    gpas: [4096, 8192],
  },
  'Arrow has signed and short numbers': {
    content: tableToIPC(
      new Table({
        a: vectorFromArray([1, 2], new Uint32()),
        gpa: vectorFromArray([4096n, null, -1n], new Int64()),
      }),
      'stream',
    ),
    gpas: [4096, null, null],
  },
  'Arrow has texts': {
    content: tableToIPC(tableFromArrays({ gpa: ['0x10', '20'] }), 'file'),
    gpas: [16, 20],
  },
  'nothing is no address': { content: '', gpas: [] },
}

for (const [what, { content, options, gpas }] of Object.entries(good)) {
  test(what, async () => {
    const given = await read(content, options)
    assert.deepEqual(given.gpas, gpas)
  })
}

test('bad lines keep their rows, and are told with their numbers', async () => {
  const text = await read(
    '10\n\nbad!\n-1\nffffffffffffffff\n10000000000000000\n10000000000000\n20\n',
  )
  assert.deepEqual(text.gpas, [16, null, null, null, null, 2 ** 52, 32])
  assert.deepEqual(
    text.bad.map((line) => line.replace(/;.*/, '')),
    [
      'line 3: "bad!" is not an address',
      'line 4: "-1" is not an address',
      'line 5: "ffffffffffffffff" is not an address',
      'line 6: "10000000000000000" is not an address',
      'line 7: 0x10000000000000 has more than the 52 bits of a guest physical address',
    ],
  )
  const csv = await read(
    't,gpa\n"a\nb",1\nx,\ny\nz,1f\nw,18446744073709551615\nv,4503599627370496\n',
  )
  assert.deepEqual(csv.gpas, [1, null, null, null, null, 2 ** 52])
  assert.deepEqual(
    csv.bad.map((line) => line.split(':')[0]),
    ['line 4', 'line 5', 'line 6', 'line 7', 'line 8'],
  )
  const json = await read('{"gpa":1}\n{"gpa":null}\n{"other":1}\n{"gpa":1.5}\n{"gpa":{}}\n{"gpa\n')
  assert.deepEqual(json.gpas, [1, null, null, null, null, null])
  assert.deepEqual(
    json.bad.map((line) => line.split(':')[0]),
    ['line 2', 'line 3', 'line 4', 'line 5', 'line 6'],
  )
  const arrow = await read(tableToIPC(tableFromArrays({ gpa: BigUint64Array.of(1n, 1n << 60n) })))
  assert.deepEqual(arrow.bad, [
    'row 2: 0x1000000000000000 has more than the 52 bits of a guest physical address',
  ])
})

const refused: Readonly<Record<string, readonly [string | Uint8Array, AddressOptions, RegExp]>> = {
  'several columns without the usual name': [
    'a,b\n1,2\n',
    {},
    /no column 'gpa', but 'a', 'b': say which one holds the addresses/,
  ],
  'a column that is not there': ['a,b\n1,2\n', { column: 'c' }, /no column 'c' in .*'a', 'b'/],
  'CSV without names': ['0x10,5\n', {}, /has no names of columns, but 0x10, 5/],
  'a line of a megabyte': [`x${'y'.repeat(2 ** 21)}\n`, {}, /line 1 .* has more than 1 MiB/],
}
for (const [what, [content, options, message]] of Object.entries(refused)) {
  test(`${what} is refused, with the reason`, async () => {
    await assert.rejects(read(content, options), (error) => {
      assert.ok(error instanceof DumpError)
      assert.match(error.message, message)
      return true
    })
  })
}

test('a strict read ends at the first bad line', async () => {
  const path = join(folder, 'strict.txt')
  writeFileSync(path, '10\nx\n')
  await assert.rejects(readAddresses(path, { strict: true }), /strict\.txt, line 2: "x" is not an/)
})

test('what is not there is told', async () => {
  await assert.rejects(readAddresses(join(folder, 'none')), /there is no such file/)
  await assert.rejects(readAddresses(folder), /it is a folder/)
})

test('files that are cut off anywhere give an error of ours, or the rows before', async () => {
  const dump = openDump.sample()
  const random = seededRandom(12)
  const gpas = new Float64Array(500).map((_, i) => i * 4096)
  const table = qemuVtop(dump.task(183), gpas)
  for (const end of ['arrow', 'arrows', 'parquet']) {
    const path = join(folder, `sound.${end}`)
    await writeTable(table, path)
    const sound = readFileSync(path)
    for (let round = 0; round < 60; round++) {
      const length = Math.floor(random() * (sound.length - 12))
      try {
        const { gpas: given } = await read(sound.subarray(0, length), { column: 'gpa' })
        // A stream may end between two batches; and the first bytes of any file can be a text, and a bad one.
        const isText = length < 8 && given.every((gpa) => gpa === null)
        assert.ok(isText || given.length === 0 || end === 'arrows', `${end} cut at ${length}`)
        if (!isText && given.length > 0) assert.deepEqual(given, [...gpas])
      } catch (error) {
        assert.ok(error instanceof DumpError, `${end} cut at ${length}: ${String(error)}`)
      }
    }
  }
  dump.close()
})

test('a batch that says it has more rows than values is refused', async () => {
  const bytes = tableToIPC(tableFromArrays({ gpa: BigUint64Array.of(1n, 2n, 3n) }), 'stream')
  // The number of rows stands in the message of the batch, and with the only column, as 64 bits of 3.
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let changed = 0
  for (let at = 0; at + 8 <= bytes.length - 48; at += 8) {
    if (words.getBigInt64(at, true) !== 3n) continue
    words.setBigInt64(at, 1n << 40n, true)
    changed++
  }
  assert.ok(changed > 0)
  await assert.rejects(
    read(bytes),
    /no sound Arrow: the column has 3 rows, .* and the batch has 1099511627776 .*offset 136/,
  )
})
