// SPDX-License-Identifier: GPL-2.0-or-later
// Every notebook that ships runs from start to end, and its committed outputs are what it gives.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { runNotebook } from '../../kernel/client/run.ts'
import { root } from '../place.ts'

const folder = join(root, 'notebooks')
// The kernels have this process's environment.
process.env['QEMU_VTOP_PROGRESS'] = 'off'

describe('the notebooks', () => {
  for (const name of readdirSync(folder).filter((file) => /^\d.*\.ipynb$/.test(file))) {
    it(`${name} gives the outputs that it was committed with`, async () => {
      const temporary = mkdtempSync(join(tmpdir(), 'notebook-'))
      try {
        const out = join(temporary, name)
        const outcome = await runNotebook(join(folder, name), { out })
        assert.equal(outcome.status, 'ok')
        assert.equal(readFileSync(out, 'utf8'), readFileSync(join(folder, name), 'utf8'))
      } finally {
        rmSync(temporary, { recursive: true })
      }
    })
  }
})
