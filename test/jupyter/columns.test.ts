// SPDX-License-Identifier: GPL-2.0-or-later
// Files of translations in the hands of others: pyarrow, DuckDB and polars read each, and find what the host recorded.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openDump, qemuVtop, guestPages, writeTable } from '../../core/index.ts'
import { kernels, realDump } from '../place.ts'
import { truthOf } from '../truth.ts'
import { program, run, sources } from './environment.ts'

const folder = mkdtempSync(join(tmpdir(), 'test-columns-'))
after(() => {
  rmSync(folder, { recursive: true })
})

for (const kernel of kernels) {
  const real = realDump(kernel)
  test(
    `pyarrow, DuckDB and polars read every page of the guests of ${kernel} as the host had them`,
    { skip: real.skip },
    async () => {
      const dump = openDump(real.path)
      for (const { name, pid } of truthOf(kernel).vms) {
        const [vm] = dump.task(pid).vms
        assert.ok(vm)
        const gpas = BigUint64Array.from([...guestPages(vm)].flatMap((column) => [...column]))
        const table = qemuVtop(vm, gpas)
        const overwrite = true
        for (const end of ['arrow', 'arrows', 'parquet', 'csv', 'jsonl']) {
          await writeTable(table, join(folder, `pages.${end}`), { overwrite })
        }
        for (const end of ['arrow', 'parquet']) {
          await writeTable(table, join(folder, `signed.${end}`), { overwrite, int64: true })
        }
        const truth = ['truth.json', 'pagemap.bin'].map((file) => join(real.folder, file))
        const args = [join(sources, 'columns.py'), ...truth, name, folder]
        const { code, stdout, stderr } = await run(program('python'), args)
        assert.equal(code, 0, stderr)
        assert.match(stdout, new RegExp(`^${name}: ${gpas.length} rows, [1-9]`))
      }
      dump.close()
    },
  )
}
