// SPDX-License-Identifier: GPL-2.0-or-later
// The programs that run notebooks without a browser: nbclient, nbconvert and papermill.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { root } from '../place.ts'
import { Home, program, run } from './environment.ts'

interface Output {
  readonly output_type: string
  readonly name?: string
  readonly text?: string | readonly string[]
  readonly data?: Readonly<Record<string, unknown>>
}

interface Cell {
  readonly cell_type: string
  readonly execution_count?: number | null
  readonly outputs?: readonly Output[]
  readonly metadata: { readonly tags?: readonly string[] }
}

const first = join(root, 'notebooks', '01-first-translation.ipynb')

describe('a notebook without a browser', () => {
  const home = new Home()
  after(() => {
    home.remove()
  })

  function codeCells(path: string): Cell[] {
    const { cells } = JSON.parse(readFileSync(path, 'utf8')) as { cells: readonly Cell[] }
    return cells.filter((cell) => cell.cell_type === 'code')
  }

  /** Without outputs, so that what is there afterwards was made by the run. */
  function emptied(name: string): string {
    const notebook = JSON.parse(readFileSync(first, 'utf8')) as { cells: object[] }
    const cells = notebook.cells.map((cell) =>
      'outputs' in cell ? { ...cell, outputs: [], execution_count: null } : cell,
    )
    const path = join(home.folder, name)
    writeFileSync(path, JSON.stringify({ ...notebook, cells }))
    return path
  }

  /** Text of the streams of a cell. */
  function printed(cell: Cell | undefined): string {
    const texts = cell?.outputs?.map(({ text }) =>
      typeof text === 'string' ? text : text?.join(''),
    )
    return texts?.join('') ?? ''
  }

  /** The kinds of output of each cell, with the media types, in order. */
  function kinds(path: string): string[][] {
    return codeCells(path).map(({ outputs }) =>
      (outputs ?? []).map(
        ({ output_type, name, data }) =>
          `${output_type} ${
            name ??
            Object.keys(data ?? {})
              .sort()
              .join(' ')
          }`,
      ),
    )
  }

  it('is run by nbclient, each cell, with the outputs that are in the repository', async () => {
    const path = emptied('nbclient.ipynb')
    const { code, stderr } = await run(program('jupyter-execute'), ['--inplace', path], home.env)
    assert.equal(code, 0, stderr)
    const counts = codeCells(path).map((cell) => cell.execution_count)
    assert.deepEqual(
      counts,
      counts.map((_, i) => i + 1),
    )
    assert.deepEqual(kinds(path), kinds(first))
  })

  it('becomes HTML with its tables and charts by nbconvert --execute', async () => {
    const path = emptied('nbconvert.ipynb')
    const args = ['nbconvert', '--execute', '--to', 'html', '--output', 'page', path]
    const { code, stderr } = await run(program('jupyter'), args, home.env)
    assert.equal(code, 0, stderr)
    const page = readFileSync(join(home.folder, 'page.html'), 'utf8')
    const outputs = codeCells(first).flatMap((cell) => cell.outputs ?? [])
    const having = (mime: string): number => outputs.filter(({ data }) => data?.[mime]).length
    assert.ok(having('text/html') > 3 && having('image/svg+xml') > 2)
    const tables = page.match(/<table/g)?.length ?? 0
    assert.ok(tables >= having('text/html'), `${tables} tables`)
    const charts = page.match(/<img [^>]*src="data:image\/svg\+xml;base64,|<svg/g)?.length ?? 0
    assert.ok(charts >= having('image/svg+xml'), `${charts} charts`)
    assert.match(page, /147200000/, 'the host physical address of gpa 0x200000')
    assert.doesNotMatch(page, /class="[^"]*jp-OutputArea-error/)
  })

  it('stops at a cell that fails, and nbclient says which', async () => {
    const notebook = JSON.parse(readFileSync(emptied('fails.ipynb'), 'utf8')) as object
    const cell = (source: string) => ({
      cell_type: 'code',
      id: source.replace(/\W/g, ''),
      metadata: {},
      execution_count: null,
      outputs: [],
      source,
    })
    const path = join(home.folder, 'fails.ipynb')
    const cells = [cell('const x: number = "text"'), cell('console.log("never")')]
    writeFileSync(path, JSON.stringify({ ...notebook, cells }))
    const { code, stderr } = await run(program('jupyter-execute'), [path], home.env)
    assert.notEqual(code, 0)
    assert.match(stderr, /Type 'string' is not assignable to type 'number'/)
    assert.doesNotMatch(stderr, /never/)
  })

  function withParameters(): string {
    const notebook = JSON.parse(readFileSync(first, 'utf8')) as object
    const cell = (id: string, source: string, tags: readonly string[]) => ({
      cell_type: 'code',
      id,
      metadata: { tags },
      execution_count: null,
      outputs: [],
      source,
    })
    const defaults = 'let gpa = "0x200000"\nlet label = "none"\nlet factor = 1\nlet loud = false'
    const use =
      'const { hpa } = qemuVtop(openDump.sample().task(183), gpa)\n' +
      'console.log(JSON.stringify([label, factor, loud, hex(hpa)]))'
    const path = join(home.folder, 'papermill.ipynb')
    const cells = [cell('defaults', defaults, ['parameters']), cell('use', use, [])]
    writeFileSync(path, JSON.stringify({ ...notebook, cells }))
    return path
  }

  it('takes parameters from papermill, which writes them as C#: strings, numbers, truth', async () => {
    const path = withParameters()
    const result = join(home.folder, 'result.ipynb')
    // papermill knows no TypeScript, and languages are added to it by Python code only, which is not shipped
    // here. Its C# is `var name = value;` with JSON's literals, which is TypeScript too.
    const given = ['-r', 'gpa', '0x4225000', '-p', 'label', 'he "said"', '-p', 'factor', '2.5']
    const args = ['--language', '.net-csharp', ...given, '-p', 'loud', 'True', path, result]
    const { code, stderr } = await run(program('papermill'), args, home.env)
    assert.equal(code, 0, stderr)
    const cells = codeCells(result)
    assert.deepEqual(cells[1]?.metadata.tags, ['injected-parameters'])
    const [label, factor, loud, hpa] = JSON.parse(printed(cells[2])) as unknown[]
    assert.deepEqual([label, factor, loud], ['he "said"', 2.5, true])
    // What the first notebook shows for this gpa: the page itself says which guest page it is.
    assert.match(JSON.stringify(codeCells(first)), new RegExp(`page at hpa ${String(hpa)} says`))
  })

  it('runs with its default parameters when papermill is given none', async () => {
    const path = withParameters()
    const result = join(home.folder, 'defaults.ipynb')
    const { code, stderr } = await run(program('papermill'), [path, result], home.env)
    assert.equal(code, 0, stderr)
    assert.deepEqual(JSON.parse(printed(codeCells(result)[1])), ['none', 1, false, '0x147200000'])
  })
})
