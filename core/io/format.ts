// SPDX-License-Identifier: GPL-2.0-or-later
// What a format of columns is: how its bytes are recognised, how rows are written in it, and addresses read out of it.

import { type AddressBatch } from './filler.ts'
import { type Rows } from './rows.ts'
import { type Sink } from './sink.ts'
import { type ByteSource } from './source.ts'

/** The names of the formats. */
export type FormatName = 'arrow' | 'arrow-stream' | 'parquet' | 'csv' | 'jsonl' | 'text'

/** How values are written. */
export interface ValueOptions {
  /**
   * 64-bit columns are signed, for readers that know no other: an address from 2^63 on, which no guest has, is null.
   * Text formats are the same with it.
   */
  readonly int64?: boolean
  /** Addresses in CSV as decimal numbers, not as `0x…`. */
  readonly decimal?: boolean
}

/** Writes rows in one format. */
export interface RowWriter {
  write(rows: Rows): Promise<void>
  /** Writes what is left and the end of the file. */
  end(): Promise<void>
}

/** How addresses are read. */
export interface AddressOptions {
  /** The column that holds them. Without it, `gpa`, or the only one that there is. */
  readonly column?: string
  /**
   * What digits without `0x` are in a text: 16 or 10. Without it, 16 in a text of one address a line, as crash has it,
   * and 10 in CSV and JSON lines, as other programs write numbers there.
   */
  readonly radix?: 10 | 16
}

/** One format: a file of its own, and a line in the table of `formats.ts`. Packages are loaded when it is used. */
export interface ColumnFormat {
  readonly name: FormatName
  /** Ends of file names that ask for it, with the dot; of files that are read the content tells. */
  readonly extensions: readonly string[]
  /** Whether a file that begins so is one. */
  readonly isIt: (head: Uint8Array) => boolean
  /** Absent when the format is only read. */
  readonly writer?: (sink: Sink, options: ValueOptions) => Promise<RowWriter>
  readonly read: (source: ByteSource, options: AddressOptions) => AsyncGenerator<AddressBatch>
}
