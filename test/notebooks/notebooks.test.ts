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

describe('the notebooks', () => {
  for (const name of readdirSync(folder).filter((file) => /^\d.*\.ipynb$/.test(file))) {
    it(`${name} gives the outputs that it was committed with`, async () => {
      const temporary = mkdtempSync(join(tmpdir(), 'notebook-'))
      try {
        const out = join(temporary, name)
        const outcome = await runNotebook(join(folder, name), { out })
        assert.equal(outcome.status, 'ok')
        const [made, committed] = [out, join(folder, name)].map(withoutBars)
        assert.equal(made, committed)
      } finally {
        rmSync(temporary, { recursive: true })
      }
    })
  }
})

/** A notebook's text. A bar stays below a cell only where the machine was slow. */
function withoutBars(path: string): string {
  const notebook = JSON.parse(readFileSync(path, 'utf8')) as {
    cells: { outputs?: { data?: { 'text/plain'?: string[] } }[] }[]
  }
  for (const cell of notebook.cells) {
    const isBar = (text: string) => /^counting .* pages done$/.test(text)
    if (cell.outputs !== undefined)
      cell.outputs = cell.outputs.filter(({ data }) => !isBar(data?.['text/plain']?.join('') ?? ''))
  }
  return JSON.stringify(notebook, null, 1)
}
