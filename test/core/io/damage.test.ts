// SPDX-License-Identifier: GPL-2.0-or-later
// Files whose counts lie: each is refused with its place, and nothing is made in the size that it says.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tableFromArrays, tableToIPC } from 'apache-arrow'
import { parquetWriteBuffer } from 'hyparquet-writer'
import {
  addressBatches,
  type DumpError,
  FormatError,
  UnsupportedError,
} from '../../../core/index.ts'

/** Twenty times 4096 in a column gpa, as a stream by pyarrow 26 (`IpcWriteOptions(compression=…)`). */
const compressed: Readonly<Record<string, string>> = {
  LZ4: [
    '/////3gAAAAQAAAAAAAKAAwABgAFAAgACgAAAAABBAAMAAAACAAIAAAABAAIAAAABAAAAAEAAAAUAAAAEAAUAAgA',
    'BgAHAAwAAAAQABAAAAAAAAECEAAAABwAAAAEAAAAAAAAAAMAAABncGEAAAAGAAgABAAGAAAAQAAAAAAAAAD/////',
    'mAAAABQAAAAAAAAADAAYAAYABQAIAAwADAAAAAADBAAcAAAAKAAAAAAAAAAAAAAADAAcABAABAAIAAwADAAAAEgA',
    'AAAcAAAAFAAAABQAAAAAAAAAAAAAAAQABAAEAAAAAgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACcAAAAAAAAA',
    'AAAAAAEAAAAUAAAAAAAAAAAAAAAAAAAAoAAAAAAAAAAEIk0YYECCEAAAADIAEAABAA8IAH9QAAAAAAAAAAAAAP//',
    '//8AAAAA',
  ].join(''),
  Zstandard: [
    '/////3gAAAAQAAAAAAAKAAwABgAFAAgACgAAAAABBAAMAAAACAAIAAAABAAIAAAABAAAAAEAAAAUAAAAEAAUAAgA',
    'BgAHAAwAAAAQABAAAAAAAAECEAAAABwAAAAEAAAAAAAAAAMAAABncGEAAAAGAAgABAAGAAAAQAAAAAAAAAD/////',
    'oAAAABQAAAAAAAAADAAYAAYABQAIAAwADAAAAAADBAAcAAAAWAAAAAAAAAAAAAAADAAeABAABAAIAAwADAAAAFAA',
    'AAAkAAAAGAAAABQAAAAAAAAAAAAAAAAABgAIAAcABgAAAAAAAAECAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    'UgAAAAAAAAAAAAAAAQAAABQAAAAAAAAAAAAAAAAAAACgAAAAAAAAACi1L/0goA0CAOQCABAAEAAQABAAEAAQABAA',
    'EAAQABAAEAAQABAAEAAQABAAEAAQABAAEAAAAAAAABMUAAMYY4wxxhhjjDHGGA8BAAAAAAAA/////wAAAAA=',
  ].join(''),
}

async function refusal(bytes: Uint8Array): Promise<DumpError> {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    await Promise.resolve()
    yield bytes
  }
  const before = process.memoryUsage().arrayBuffers
  try {
    for await (const batch of addressBatches(pieces(), { name: 'trace', column: 'gpa' })) {
      assert.ok(batch.gpas.length < 1000)
    }
  } catch (error) {
    assert.ok(error instanceof FormatError || error instanceof UnsupportedError, String(error))
    assert.ok(process.memoryUsage().arrayBuffers - before < 16 << 20)
    return error
  }
  assert.fail('it was read')
}

for (const [name, text] of Object.entries(compressed)) {
  test(`Arrow that ${name} compresses is refused, with what to do`, async () => {
    const error = await refusal(Buffer.from(text, 'base64'))
    assert.ok(error instanceof UnsupportedError)
    assert.match(
      error.message,
      new RegExp(`^trace cannot .* by ${name}: write it without compression`),
    )
    assert.match(
      error.message,
      /feather\.write_feather\(…, compression='uncompressed'\)\), or as Parquet$/,
    )
  })
}

/** The bytes with numbers of 64 bits that are `from` made `to`. */
function replaced(bytes: Uint8Array, from: bigint, to: bigint): Uint8Array {
  const copy = Uint8Array.from(bytes)
  const words = new DataView(copy.buffer)
  let count = 0
  for (let at = 0; at + 8 <= copy.length; at += 8) {
    if (words.getBigInt64(at, true) !== from) continue
    words.setBigInt64(at, to, true)
    count++
  }
  assert.ok(count > 0)
  return copy
}

const gpa = new BigUint64Array(33).fill(4096n)
const stream = tableToIPC(tableFromArrays({ gpa }), 'stream')
const file = tableToIPC(tableFromArrays({ gpa }), 'file')

test('Arrow of which every count of rows is 2^40 is refused', async () => {
  for (const bytes of [stream, file]) {
    const { message } = await refusal(replaced(bytes, 33n, 1n << 40n))
    assert.match(message, /^trace is no sound Arrow: .* 1099511627776 rows but values for 33/)
  }
})

test('Arrow with a body or buffer of 2^40 bytes is refused, with its offset', async () => {
  for (const bytes of [stream, file]) {
    // The only buffer has 264 bytes, and so has the body of the stream; that of the file has some more.
    const { message } = await refusal(replaced(bytes, 264n, 1n << 40n))
    assert.match(message, /109951162\d{4} .*\(at offset \d+\); it is damaged or cut off/)
  }
})

test('Arrow metadata of 2^31 bytes are refused before any are read', async () => {
  const bytes = Uint8Array.from(stream)
  new DataView(bytes.buffer).setUint32(4, 2 ** 31, true)
  const { message } = await refusal(bytes)
  assert.match(message, /would have 2147483648 bytes, more than the 67108864 .*\(at offset 0\)/)
})

const parquet = new Uint8Array(
  parquetWriteBuffer({
    columnData: [{ name: 'gpa', data: gpa, type: 'INT64', encoding: 'PLAIN' }],
    codec: 'SNAPPY',
    statistics: false,
  }),
)

test('Parquet with a page larger than its bytes can hold is refused, with its offset', async () => {
  const bytes = Uint8Array.from(parquet)
  // The header of the first page: its kind, 266 bytes of levels and values, in a number of seven bits a byte, and 22 packed.
  assert.deepEqual([...bytes.subarray(4, 11)], [0x15, 0x06, 0x15, 0x94, 0x04, 0x15, 0x2c])
  bytes.set([0xfe, 0x7f], 7)
  const { message } = await refusal(bytes)
  assert.match(
    message,
    /a page of 20 bytes \(compression: Snappy\) would hold 8189 \(at offset 26\)/,
  )
})

test('Parquet with a list of more than the bytes left is refused, with its offset', async () => {
  const bytes = Uint8Array.from(parquet)
  const length = new DataView(bytes.buffer).getUint32(bytes.length - 8, true)
  // The footer begins with a number, the version; then comes the list of columns.
  const at = bytes.length - 8 - length + 3
  assert.equal((bytes[at] ?? 0) & 15, 12)
  bytes.set([0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f], at)
  const { message } = await refusal(bytes)
  assert.match(message, /a count of 4294967295 with \d+ bytes left \(at offset \d+\)/)
})
