// SPDX-License-Identifier: GPL-2.0-or-later
// Every format: what is written says what the table says, and addresses come back as they went in.

import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { after, before, describe, it, test } from 'node:test'
import { tableFromIPC } from 'apache-arrow'
import { parquetReadObjects } from 'hyparquet'
import {
  addressBatches,
  DumpError,
  hex,
  type HostDump,
  NO_ADDRESS,
  openDump,
  qemuVtop,
  readAddresses,
  toArrow,
  type TranslationTable,
  UsageError,
  writeTable,
} from '../../../core/index.ts'
import { root } from '../../place.ts'

const folder = mkdtempSync(join(tmpdir(), 'test-io-'))
after(() => {
  rmSync(folder, { recursive: true })
})

/** One address of each kind, and what is none: the last one that is a number has all bits but one. */
const gpas = BigUint64Array.from([
  ...readFileSync(join(root, 'notebooks', 'sample.txt'), 'utf8')
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .map((line) => BigInt(`0x${line}`)),
  ...[NO_ADDRESS, 1n << 52n, 1n << 63n, NO_ADDRESS - 1n],
])

let dump: HostDump
let table: TranslationTable
before(() => {
  dump = openDump.sample()
  table = qemuVtop(dump.task(183), gpas)
})
after(() => {
  dump.close()
})

/** A row as a reader of any format has it. */
interface Row {
  readonly gpa: bigint | null
  readonly hva: bigint | null
  readonly hpa: bigint | null
  readonly state: string
  readonly page_size: number | null
  readonly slot: number | null
  readonly swap_type: number | null
  readonly swap_offset: bigint | null
}

/** What the table itself says. */
function wantedRows(end = NO_ADDRESS): Row[] {
  const fits = (value: bigint | null) => (value === null || value >= end ? null : value)
  return Array.from({ length: table.length }, (_, i) => {
    const row = table.row(i)
    const swap = table.swapOf(i)
    assert.ok(row)
    return {
      gpa: fits(row.gpa),
      hva: fits(row.hva),
      hpa: fits(row.hpa),
      state: row.state,
      page_size: row.pageSize,
      slot: row.slot,
      swap_type: swap?.type ?? null,
      swap_offset: swap === undefined ? null : BigInt(swap.offset),
    }
  })
}

const big = (value: unknown) =>
  value === null || value === undefined ? null : BigInt(value as string)

function rowOf(row: Readonly<Record<string, unknown>>): Row {
  const number = (value: unknown) => (value === null || value === undefined ? null : Number(value))
  return {
    gpa: big(row['gpa']),
    hva: big(row['hva']),
    hpa: big(row['hpa']),
    state: String(row['state']),
    page_size: number(row['page_size']),
    slot: number(row['slot']),
    swap_type: number(row['swap_type']),
    swap_offset: big(row['swap_offset']),
  }
}

function arrowRows(path: string): Row[] {
  return Array.from(tableFromIPC(readFileSync(path)), (row) =>
    rowOf((row as { toJSON(): Record<string, unknown> }).toJSON()),
  )
}

/** How each kind of file is read by others. */
const readers: Readonly<Record<string, (path: string) => Row[] | Promise<Row[]>>> = {
  '.arrow': arrowRows,
  '.arrows': arrowRows,
  '.parquet': async (path) => {
    const bytes = readFileSync(path)
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)
    const compressors = { GZIP: (data: Uint8Array) => gunzipSync(data) }
    return (await parquetReadObjects({ file, compressors })).map(rowOf)
  },
  '.csv': (path) => {
    const [head = '', ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n')
    const names = head.split(',')
    return lines.map((line) =>
      rowOf(
        Object.fromEntries(
          line.split(',').map((field, i) => [names[i] ?? '', field === '' ? null : field]),
        ),
      ),
    )
  },
  '.jsonl': (path) =>
    readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => rowOf(JSON.parse(line) as Record<string, unknown>)),
}

for (const [end, read] of Object.entries(readers)) {
  describe(`a table in a file with the end ${end}`, () => {
    const path = join(folder, `table${end}`)

    it('has the rows and columns of the table, and nothing where there is no value', async () => {
      const { rows } = await writeTable(table, path)
      assert.equal(rows, gpas.length)
      assert.deepEqual(await read(path), wantedRows())
    })

    it('gives the addresses back as they were', async () => {
      assert.deepEqual(await readAddresses(path), gpas)
    })

    it('gives the same out of a pipe, however the bytes come', async () => {
      const bytes = readFileSync(path)
      for (const size of [1, 7, 4096]) {
        const columns: bigint[] = []
        const pieces = cut(bytes, size)
        for await (const batch of addressBatches(pieces)) columns.push(...batch.gpas)
        assert.deepEqual(BigUint64Array.from(columns), gpas, `pieces of ${size}`)
      }
    })

    it('has its columns without any row, too', async () => {
      const empty = join(folder, `empty${end}`)
      await writeTable(table.filter({ state: 'marker' }), empty)
      assert.deepEqual(end === '.jsonl' ? [] : await read(empty), [])
      assert.equal((await readAddresses(empty)).length, 0)
    })

    it('has signed numbers when asked, and null for what does not fit', async () => {
      const signed = join(folder, `signed${end}`)
      await writeTable(table, signed, { int64: true })
      const isText = end === '.csv' || end === '.jsonl'
      assert.deepEqual(await read(signed), wantedRows(isText ? NO_ADDRESS : 1n << 63n))
    })
  })
}

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  await Promise.resolve()
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

test('addresses in CSV are decimal when asked', async () => {
  const path = join(folder, 'decimal.csv')
  await writeTable(table, path, { decimal: true })
  const [, first] = readFileSync(path, 'utf8').split('\n')
  assert.equal(first?.split(',')[0], String(gpas[0]))
  assert.deepEqual(await readers['.csv']?.(path), wantedRows())
})

test('a table as Arrow in memory has the same rows', async () => {
  const rows = Array.from(tableFromIPC(await toArrow(table)), (row) =>
    rowOf((row as { toJSON(): Record<string, unknown> }).toJSON()),
  )
  assert.deepEqual(rows, wantedRows())
})

test('columns of shared memory, as large runs have them, are written', async () => {
  const many = new BigUint64Array(300_000).map((_, i) => BigInt((i % 70_000) * 4096))
  const large = qemuVtop(dump.task(183), many)
  for (const end of ['.arrow', '.parquet']) {
    const path = join(folder, `many${end}`)
    await writeTable(large, path)
    assert.deepEqual(await readAddresses(path), many)
  }
})

describe('a file that is written', () => {
  it('is not replaced unless that is said', async () => {
    const path = join(folder, 'there.csv')
    writeFileSync(path, 'mine')
    await assert.rejects(writeTable(table, path), UsageError)
    assert.equal(readFileSync(path, 'utf8'), 'mine')
    await writeTable(table, path, { overwrite: true })
    assert.match(readFileSync(path, 'utf8'), /^gpa,/)
  })

  it('is not there when anything fails', async () => {
    const before = readdirSync(folder)
    // A table of which a column lacks its end fails in the middle.
    const broken = Object.create(table, {
      slice: {
        value: () => {
          throw new Error('stopped')
        },
      },
    }) as TranslationTable
    for (const end of Object.keys(readers)) {
      await assert.rejects(writeTable(broken, join(folder, `broken${end}`)), /stopped/)
    }
    assert.deepEqual(readdirSync(folder), before)
  })

  it('tells what its name has to end with', async () => {
    await assert.rejects(writeTable(table, join(folder, 'x.xlsx')), /\.arrow, \.arrows, \.parquet/)
  })

  it('tells why it cannot be written', async () => {
    const path = join(folder, 'no', 'such', 'folder.csv')
    await assert.rejects(writeTable(table, path), (error) => {
      assert.ok(error instanceof DumpError)
      assert.match(error.message, /cannot write '.*folder\.csv': ENOENT/)
      return true
    })
  })
})

test('numbers of the sample have digits of each length', () => {
  // Text is put together digit by digit: this holds only when the addresses try that.
  const lengths = new Set(Array.from(gpas, (gpa) => hex(gpa).length))
  assert.ok(lengths.size >= 6, [...lengths].join())
})
