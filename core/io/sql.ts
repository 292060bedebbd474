// SPDX-License-Identifier: GPL-2.0-or-later
// Questions in SQL to the rows of a bulk translation, answered by DuckDB, which is installed by those who want it.

import type * as duckDb from '@duckdb/node-api'
import { NO_ADDRESS, stateNames } from '../bulk/states.ts'
import { type TranslationTable } from '../bulk/table.ts'
import { MissingError, UsageError } from '../errors.ts'
import { withProgress } from '../progress.ts'

type DuckDb = typeof duckDb
type SqlValue = duckDb.DuckDBValue

/** A column of the table that is asked: its type in SQL, and the values of some rows. */
interface SqlColumn {
  readonly name: string
  readonly type: string
  readonly values: (from: number, to: number) => SqlValue[]
}

/**
 * Asks the rows of a table in SQL, where they are the table `t` with the columns row, gpa, hva, hpa (unsigned 64-bit, exact,
 * null where there is none), state, page_size (bytes), slot and node:
 * `await sql(rows, "select slot, count(*) as pages from t where state = 'swapped' group by slot order by pages desc")`.
 * Lists that go with the input can be columns as well: `await sql(rows, query, {event: events})`.
 *
 * Gives the rows of the answer as objects. Addresses are bigints; counts and sums are numbers as long as those are exact.
 * The rows are copied into memory of DuckDB, some two million a second. Throws MissingError when `@duckdb/node-api`
 * is not installed, UsageError for a query that DuckDB does not take.
 */
export async function sql(
  table: TranslationTable,
  query: string,
  more: Readonly<Record<string, ArrayLike<unknown>>> = {},
): Promise<Record<string, unknown>[]> {
  const duckdb = await load()
  const columns = [...ownColumns(table, query), ...givenColumns(table, more)]
  // Nothing is fetched from anywhere: extensions that are missing are an error.
  const instance = await duckdb.DuckDBInstance.create(':memory:', {
    autoinstall_known_extensions: 'false',
  })
  try {
    const connection = await instance.connect()
    const definition = columns.map(({ name, type }) => `"${name.replaceAll('"', '""')}" ${type}`)
    try {
      await connection.run(`create table t (${definition.join(', ')})`)
      await fill(duckdb, connection, columns, table.length)
      return await answerOf(duckdb, connection, query)
    } finally {
      connection.closeSync()
    }
  } finally {
    instance.closeSync()
  }
}

async function load(): Promise<DuckDb> {
  try {
    return await import('@duckdb/node-api')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new MissingError(
      'package',
      '@duckdb/node-api',
      'this installation; sql(table, query) needs it (70 MB): npm install @duckdb/node-api',
    )
  }
}

async function answerOf(
  { DuckDBTypeId }: DuckDb,
  connection: duckDb.DuckDBConnection,
  query: string,
): Promise<Record<string, unknown>[]> {
  const reader = await connection.runAndReadAll(query).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error)
    throw new UsageError(`sql(table, query): ${why}`)
  })
  const types = reader.columnTypes().map(({ typeId }) => typeId)
  const names = reader.deduplicatedColumnNames()
  const isCount = types.map((id) => id === DuckDBTypeId.BIGINT || id === DuckDBTypeId.HUGEINT)
  const rows = reader.getRowsJS() as unknown[][]
  return rows.map((row) =>
    Object.fromEntries<unknown>(row.map((value, i) => [names[i] ?? '', plain(value, isCount[i])])),
  )
}

/** What is counted fits a number nearly always; an address stays a bigint whatever its value, so that code can rely on it. */
function plain(value: unknown, isCount = false): unknown {
  if (typeof value !== 'bigint' || !isCount) return value
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

async function fill(
  { DuckDBDataChunk }: DuckDb,
  connection: duckDb.DuckDBConnection,
  columns: readonly SqlColumn[],
  rows: number,
): Promise<void> {
  const appender: duckDb.DuckDBAppender = await connection.createAppender('t')
  const types = columns.map((_, i) => appender.columnType(i))
  withProgress({ label: 'handing rows to DuckDB', unit: 'rows', total: rows }, (advance) => {
    for (let from = 0; from < rows; from += CHUNK) {
      const to = Math.min(rows, from + CHUNK)
      const chunk = DuckDBDataChunk.create(types, to - from)
      for (const [i, { values }] of columns.entries()) chunk.setColumnValues(i, values(from, to))
      appender.appendDataChunk(chunk)
      advance(to - from)
    }
  })
  appender.closeSync()
}

/** Rows of a data chunk (STANDARD_VECTOR_SIZE of DuckDB). */
const CHUNK = 2048

function ownColumns(table: TranslationTable, query: string): SqlColumn[] {
  const column = <T>(
    name: string,
    type: string,
    from: ArrayLike<T>,
    value: (one: T) => SqlValue,
  ): SqlColumn => ({ name, type, values: (start, end) => part(from, start, end, value) })
  const address = (value: bigint) => (value === NO_ADDRESS ? null : value)
  const number = (value: number) => (value < 0 ? null : value)
  return [
    column('row', 'uinteger', table.index, (value) => value),
    column('gpa', 'ubigint', table.gpa, address),
    column('hva', 'ubigint', table.hva, address),
    column('hpa', 'ubigint', table.hpa, address),
    column('state', 'varchar', table.state, (code) => stateNames[code] ?? null),
    column('page_size', 'uinteger', table.pageShift, (shift) => (shift === 0 ? null : 2 ** shift)),
    column('slot', 'smallint', table.slot, number),
    // Nodes are read from the dump: only when somebody asks.
    ...(/\bnode\b/i.test(query) ? [column('node', 'smallint', table.node, number)] : []),
  ]
}

function givenColumns(
  table: TranslationTable,
  more: Readonly<Record<string, ArrayLike<unknown>>>,
): SqlColumn[] {
  return Object.entries(more).map(([name, list]) => {
    const values = table.join(list)
    const first = values.find((value) => value !== null && value !== undefined)
    const type = typeof first === 'undefined' ? 'varchar' : sqlTypes[typeof first]
    if (type === undefined) {
      throw new UsageError(
        `sql(table, query, {${name}: list}): the list holds ${typeof first}s; wanted numbers, bigints, texts or booleans`,
      )
    }
    const value = (one: unknown): SqlValue => {
      if (one === null || one === undefined) return null
      if (typeof one === typeof first) return one as SqlValue
      throw new UsageError(
        `sql(table, query, {${name}: list}): the list holds ${typeof first}s and ${typeof one}s`,
      )
    }
    return { name, type, values: (from, to) => part(values, from, to, value) }
  })
}

const sqlTypes: Partial<Record<string, string>> = {
  number: 'double',
  bigint: 'hugeint',
  string: 'varchar',
  boolean: 'boolean',
}

function part<T>(
  column: ArrayLike<T>,
  from: number,
  to: number,
  value: (one: T) => SqlValue,
): SqlValue[] {
  const values: SqlValue[] = []
  for (let i = from; i < to; i++) values.push(value(column[i] as T))
  return values
}
