// SPDX-License-Identifier: GPL-2.0-or-later
// Tables to files: one table, or as many as come, a file that appears whole or not at all.

import { BATCH_ROWS } from '../bulk/pages.ts'
import { type TranslationTable } from '../bulk/table.ts'
import { begin } from '../progress.ts'
import { type FormatName, type ValueOptions } from './format.ts'
import { type Sink } from './sink.ts'

/** How a table is written. */
export interface WriteOptions extends ValueOptions {
  /** `arrow`, `arrow-stream`, `parquet`, `csv` or `jsonl`. Without it, the end of the file's name tells. */
  readonly format?: FormatName
  /** Replace a file that is there. Without it, that is an error. */
  readonly overwrite?: boolean
}

/** What was written. */
export interface WriteResult {
  readonly rows: number
  readonly bytes: number
}

/** A file that tables are written to, one behind the other. One of `finish` and `abandon` must be called at the end. */
export interface TableWriter {
  /** Writes rows behind those before. */
  write(table: TranslationTable): Promise<void>
  /** Ends the file, and gives it its name. */
  finish(): Promise<WriteResult>
  /** Leaves no file behind. */
  abandon(): void
}

/**
 * Writes a table to a file: Apache Arrow (`.arrow`, as a stream `.arrows`), Parquet (`.parquet`), CSV (`.csv`) or JSON
 * lines (`.jsonl`). Columns: gpa, hva, hpa, state, page_size (bytes), slot, swap_type, swap_offset (pages). What is not
 * there is null: never 0, never 2^64-1. Addresses are unsigned 64-bit numbers, exact; in CSV and JSON lines `0x…`.
 * `{int64: true}` makes them signed, for Spark and others that know no unsigned ones; `{decimal: true}` is for CSV.
 *
 * The file appears whole or not at all; one that is there is replaced only with `{overwrite: true}`.
 * Throws UsageError for an unknown format or a file that is there, DumpError when it cannot be written.
 */
export async function writeTable(
  table: TranslationTable,
  path: string,
  options: WriteOptions = {},
): Promise<WriteResult> {
  const writer = await tableWriter(path, options)
  const work = begin({ label: `writing ${path}`, unit: 'rows', total: table.length })
  try {
    for (let from = 0; from < table.length; from += BATCH_ROWS) {
      const part = table.slice(from, from + BATCH_ROWS)
      await writer.write(part)
      work.advance(part.length)
    }
    const result = await writer.finish()
    work.finish()
    return result
  } catch (error) {
    writer.abandon()
    work.stop()
    throw error
  }
}

/**
 * The table as an Arrow IPC stream in memory, for any program that reads Arrow:
 * `tableFromIPC(await toArrow(table))`.
 */
export async function toArrow(
  table: TranslationTable,
  { int64 = false }: { readonly int64?: boolean } = {},
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  const sink = {
    write: (bytes: Uint8Array) => {
      pieces.push(bytes)
      return Promise.resolve()
    },
  }
  const writer = await tableWriter(sink, { format: 'arrow-stream', int64 })
  for (let from = 0; from < table.length; from += BATCH_ROWS) {
    await writer.write(table.slice(from, from + BATCH_ROWS))
  }
  await writer.finish()
  return Uint8Array.from(Buffer.concat(pieces))
}

/** Begins a file that takes tables as they come, such as parts of a stream; or what goes to a sink of one's own. */
export async function tableWriter(
  target: string | Sink,
  options: WriteOptions = {},
): Promise<TableWriter> {
  // Loaded with the first file: who only translates does not wait for it.
  const [{ formatFor }, { openSink }, { rowsOf }] = await Promise.all([
    import('./formats.ts'),
    import('./sink.ts'),
    import('./rows.ts'),
  ])
  const format = formatFor(options.format, typeof target === 'string' ? target : '')
  const file = typeof target === 'string' ? openSink(target, options) : undefined
  let bytes = 0
  const sink: Sink = {
    write: async (piece) => {
      bytes += piece.length
      await (file ?? (target as Sink)).write(piece)
    },
  }
  const abandon = (): void => file?.abandon()
  let rows = 0
  try {
    const writer = await format.writer(sink, options)
    return {
      write: async (table) => {
        rows += table.length
        await writer.write(rowsOf(table))
      },
      finish: async () => {
        await writer.end()
        file?.finish()
        return { rows, bytes }
      },
      abandon,
    }
  } catch (error) {
    abandon()
    throw error
  }
}
