// SPDX-License-Identifier: GPL-2.0-or-later
// SQL over the rows of a bulk translation: the same numbers as the table's own, and addresses to the last bit.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openDump, sql, type TranslationTable, UsageError } from '../../../core/index.ts'
import { realDump, root } from '../../place.ts'
import { bulk } from '../bulk/compare.ts'

const skip = await import('@duckdb/node-api').then(
  () => realDump('6.12').skip,
  () => '@duckdb/node-api is not installed',
)

/** 20,000 addresses all over the guests and beside them. */
async function withTable(use: (table: TranslationTable) => Promise<void>): Promise<void> {
  const dump = openDump(realDump('6.12').path)
  try {
    const vm = dump.vm('A')
    await use(
      bulk(
        vm,
        BigUint64Array.from({ length: 20_000 }, (_, i) => BigInt(i * 0x5123)),
      ),
    )
  } finally {
    dump.close()
  }
}

test('groups in SQL are those of groupBy', { skip }, async () => {
  await withTable(async (table) => {
    const query =
      'select state, slot, page_size, node, count(*) as count from t group by all order by all'
    const wanted = table
      .groupBy('state', 'slot', 'pageSize', 'node')
      .map(({ state, slot, pageSize, node, count }) => ({
        ...{ state, slot, page_size: pageSize, node, count },
      }))
    const key = (group: object) => JSON.stringify(group)
    assert.deepEqual((await sql(table, query)).map(key).sort(), wanted.map(key).sort())
  })
})

test('addresses are exact, lists go along, and rows keep their place', { skip }, async () => {
  await withTable(async (table) => {
    const sorted = table.sort('hpa', 'descending').filter({ state: 'mapped' })
    const events = Array.from({ length: table.length }, (_, i) => (i % 3 === 0 ? 'read' : 'write'))
    const query = 'select "row", gpa, hva, hpa, event from t order by hpa desc'
    const rows = await sql(sorted, query, { event: events })
    assert.equal(rows.length, sorted.length)
    for (const [i, row] of rows.entries()) {
      const { gpa, hva, hpa, index } = sorted.row(i) ?? assert.fail()
      assert.deepEqual(row, { row: index, gpa, hva, hpa, event: events[index] })
    }
    const [edge] = await sql(table, 'select max(18446744073709551615::ubigint) as most from t')
    assert.equal(edge?.['most'], 18446744073709551615n)
  })
})

test('what DuckDB does not take is said in its words', { skip }, async () => {
  await withTable(async (table) => {
    const few = table.slice(0, 10)
    await assert.rejects(sql(few, 'select nothing from t'), (error: Error) => {
      assert.ok(error instanceof UsageError)
      assert.match(error.message, /^sql\(table, query\): Binder Error: .*"nothing"/)
      return true
    })
    await assert.rejects(
      sql(few, 'select 1', { when: few.join(Array.from({ length: 10 }, () => new Date())) }),
      /the list holds objects; wanted numbers, bigints, texts or booleans/,
    )
  })
})

test('without DuckDB the error has the command, and nothing else needs it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'no-duckdb-'))
  try {
    cpSync(join(root, 'dist/core'), join(folder, 'core'), { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    // What core cannot do without.
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(join(root, 'node_modules/fzstd'), join(folder, 'node_modules/fzstd'))
    const code = `import { openDump, qemuVtop, sql } from './core/index.js'
      const dump = openDump(${JSON.stringify(join(root, 'notebooks/sample.kdump'))})
      const rows = qemuVtop(dump.vms[0], [0, 0x1000])
      await sql(rows, 'select 1').catch((error) => console.log(error.message))`
    const out = execFileSync(process.execPath, ['--input-type=module', '-e', code], {
      cwd: folder,
      encoding: 'utf8',
    })
    assert.equal(
      out,
      "no package '@duckdb/node-api' in this installation; sql(table, query) needs it (70 MB): npm install @duckdb/node-api\n",
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})
