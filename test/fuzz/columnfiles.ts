// SPDX-License-Identifier: GPL-2.0-or-later
// Fuzz targets: files of columns as packages write them, damaged, of which every column is read.
import assert from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import { Table, tableToIPC, Uint32, Uint64, Utf8, vectorFromArray } from 'apache-arrow'
import { type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer'
import { bytesAsFile } from '../../core/dump/file.ts'
import { DumpError } from '../../core/errors.ts'
import { arrow, arrowStream } from '../../core/io/arrow.ts'
import { type ColumnFormat } from '../../core/io/format.ts'
import { parquet } from '../../core/io/parquet.ts'
import { type ByteSource } from '../../core/io/source.ts'
import { type FuzzTarget } from './target.ts'

const rows = 90
const gpas = Array.from({ length: rows }, (_, i) => BigInt((i * 7919) % 1000) * 4096n)
const sparse = gpas.map((gpa, i) => (i % 5 === 3 ? null : gpa))
const texts = gpas.map((gpa) => `0x${gpa.toString(16)}`)
const few = gpas.map((_, i) => `0x${(i % 3).toString(16)}000`)

function sourceOf(bytes: Uint8Array): ByteSource {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    await Promise.resolve()
    for (let at = 0; at < bytes.length; at += 999) yield bytes.subarray(at, at + 999)
  }
  return {
    ...{ name: 'damaged', head: bytes.subarray(0, 8), size: bytes.length, pieces: pieces() },
    whole: () => Promise.resolve(bytesAsFile('damaged', bytes)),
    close: () => Promise.resolve(),
  }
}

/** Reads each column; true when one had rows. */
function readAll(format: ColumnFormat, columns: readonly string[]): FuzzTarget['read'] {
  return async (bytes) => {
    let read = 0
    for (const column of columns) {
      try {
        for await (const batch of format.read(sourceOf(bytes), { column })) {
          read += batch.gpas.length
          assert.ok(batch.bytesRead >= 0)
        }
      } catch (error) {
        if (!(error instanceof DumpError)) throw error
        assert.match(error.message, /damaged/)
      }
    }
    // A batch may lie there twice after damage, but nothing makes rows of nothing.
    assert.ok(read <= 2 * rows * columns.length, `${read} rows`)
    return read > 0
  }
}

const arrowColumns = ['gpa', 'sparse', 'short', 'text', 'few']

function arrowBytes(form: 'file' | 'stream'): Uint8Array {
  const inDictionary = vectorFromArray(few)
  const part = (from: number, to: number): Table =>
    new Table({
      gpa: vectorFromArray(gpas.slice(from, to), new Uint64()),
      sparse: vectorFromArray(sparse.slice(from, to), new Uint64()),
      short: vectorFromArray(gpas.slice(from, to).map(Number), new Uint32()),
      text: vectorFromArray(texts.slice(from, to), new Utf8()),
      // Texts become a dictionary when no type is said.
      few: inDictionary.slice(from, to),
    })
  return tableToIPC(part(0, rows / 2).concat(part(rows / 2, rows)), form)
}

const parquetColumns: readonly ColumnSource[] = [
  { name: 'gpa', data: BigUint64Array.from(gpas), type: 'INT64', encoding: 'PLAIN' },
  { name: 'sparse', data: sparse, type: 'INT64', nullable: true },
  { name: 'delta', data: gpas, type: 'INT64', encoding: 'DELTA_BINARY_PACKED' },
  { name: 'split', data: gpas, type: 'INT64', encoding: 'BYTE_STREAM_SPLIT' },
  { name: 'text', data: texts, type: 'STRING', encoding: 'PLAIN' },
  { name: 'lengths', data: texts, type: 'STRING', encoding: 'DELTA_LENGTH_BYTE_ARRAY' },
  { name: 'shared', data: texts, type: 'STRING', encoding: 'DELTA_BYTE_ARRAY' },
  { name: 'few', data: few, type: 'STRING', encoding: 'RLE_DICTIONARY' },
]

function parquetBytes(codec: 'UNCOMPRESSED' | 'SNAPPY' | 'GZIP'): Uint8Array {
  const file = parquetWriteBuffer({
    ...{ columnData: [...parquetColumns], codec, rowGroupSize: 50, pageSize: 200 },
    compressors: { GZIP: (bytes) => gzipSync(bytes) },
  })
  return new Uint8Array(file)
}

function target(
  name: string,
  format: ColumnFormat,
  seed: Uint8Array,
  columns: readonly string[],
): FuzzTarget {
  const read = readAll(format, columns)
  const footer = Math.max(0, seed.length - 256)
  return { name, seed, dense: [0, footer, Math.max(0, footer - 700)], cost: 10, read }
}

/** Files and streams of Arrow, and Parquet in each of its encodings. */
export function columnFiles(): FuzzTarget[] {
  const inArrow = arrowColumns
  const inParquet = parquetColumns.map(({ name }) => name)
  return [
    target('a file of Arrow', arrow, arrowBytes('file'), inArrow),
    target('a stream of Arrow', arrowStream, arrowBytes('stream'), inArrow),
    ...(['UNCOMPRESSED', 'SNAPPY', 'GZIP'] as const).map((codec) =>
      target(`a file of Parquet, ${codec}`, parquet, parquetBytes(codec), inParquet),
    ),
  ]
}
