// SPDX-License-Identifier: GPL-2.0-or-later
// Notebook files: what is refused, what is kept, and that the bytes are those of Python's nbformat.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { checkWritable, readNotebook, writeNotebook } from '../../../kernel/client/notebook.ts'
import { formatNotebook } from '../../../kernel/client/notebookjson.ts'

const folder = mkdtempSync(join(tmpdir(), 'test-notebook-'))
after(() => {
  rmSync(folder, { recursive: true })
})

/** A Python with nbformat: `QEMU_VTOP_PYTHON`, or the one in the path. */
const python = process.env['QEMU_VTOP_PYTHON'] ?? 'python3'
const hasNbformat = spawnSync(python, ['-c', 'import nbformat']).status === 0

function write(name: string, value: unknown): string {
  const path = join(folder, name)
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value))
  return path
}

const empty = { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [] }
const cell = {
  cell_type: 'code',
  id: 'a',
  metadata: {},
  source: '1',
  outputs: [],
  execution_count: null,
}

const refused: Readonly<Record<string, readonly [unknown, RegExp]>> = {
  'a file that is not JSON': ['{"cells": [', /it is not JSON/],
  'a list': [[], /not a JSON object/],
  'format 3': [{ ...empty, nbformat: 3 }, /nbformat is 3, only 4.*open it in Jupyter/],
  'no minor number': [{ ...empty, nbformat_minor: null }, /nbformat_minor is not a number/],
  'cells that are no list': [{ ...empty, cells: {} }, /cells is not a list/],
  'a cell of another type': [
    { ...empty, cells: [{ ...cell, cell_type: 'slide' }] },
    /cells\[0\]\.cell_type is "slide"/,
  ],
  'a source that is a number': [
    { ...empty, cells: [cell, { ...cell, id: 'b', source: 1 }] },
    /cells\[1\]\.source is neither text nor a list of lines/,
  ],
  'an id that nbformat does not allow': [
    { ...empty, cells: [{ ...cell, id: 'a b' }] },
    /cells\[0\]\.id is "a b"/,
  ],
  'an id that is there twice': [
    { ...empty, cells: [cell, cell] },
    /cells\[1\]\.id "a" is there twice/,
  ],
}

for (const [what, [value, message]] of Object.entries(refused)) {
  test(`${what} is refused, with the file's name and the place`, () => {
    const path = write('refused.ipynb', value)
    assert.throws(
      () => readNotebook(path),
      (error: Error) => {
        assert.equal(error.name, 'NotebookError')
        assert.ok(error.message.includes(path), error.message)
        assert.match(error.message, message)
        return true
      },
    )
  })
}

test('a file that is not there is refused by name', () => {
  assert.throws(
    () => readNotebook(join(folder, 'none.ipynb')),
    /cannot read notebook .*none\.ipynb: ENOENT/,
  )
})

test('reading drops old outputs, counts and times, joins lines, and gives old cells an id', () => {
  const path = write('old.ipynb', {
    ...empty,
    nbformat_minor: 2,
    cells: [
      {
        cell_type: 'code',
        metadata: { tags: ['x'], execution: { 'iopub.status.busy': '2026-01-01' } },
        source: ['a\n', 'b'],
        outputs: [{ output_type: 'stream', name: 'stdout', text: 'old' }],
        execution_count: 3,
      },
    ],
  })
  const notebook = readNotebook(path)
  assert.equal(notebook.nbformat_minor, 5)
  assert.deepEqual(notebook.cells, [
    {
      cell_type: 'code',
      id: 'cell-1',
      metadata: { tags: ['x'] },
      source: 'a\nb',
      outputs: [],
      execution_count: null,
    },
  ])
})

/** What is written in ways of its own: order of names, ends of lines, kinds of content. */
const awkward = {
  nbformat: 4,
  nbformat_minor: 5,
  metadata: {
    zebra: 1,
    Alpha: { '10': 1, '9': [], a: {} },
    '😀': 1,
    '～': 2,
    language_info: { name: 'typescript' },
    signature: 'x',
    orig_nbformat: 3,
  },
  cells: [
    {
      cell_type: 'markdown',
      id: 'm',
      metadata: { trusted: true },
      source: '# Überschrift\n\n“text”\u2028 \u0085\r\nend\r',
      attachments: { 'a.svg': { 'image/svg+xml': '<svg>\n</svg>' } },
    },
    {
      cell_type: 'code',
      id: 'c',
      metadata: {},
      source: '',
      execution_count: 1,
      outputs: [
        {
          output_type: 'stream',
          name: 'stdout',
          text: 'a\x0bb\x0cc\x1cd\x1de\x1ef\n\ng\x7f\u001b[0m',
        },
        {
          output_type: 'display_data',
          data: {
            'text/html': '<p>\n</p>\n',
            'image/png': 'AAA\nBBB\n',
            'application/javascript': 'a\nb',
            'application/json': { b: 'x\ny', a: [1, 2.5, -0.001, null, true] },
            'application/vnd.vegalite.v5+json': { $schema: 'x', data: { values: [{}] } },
          },
          metadata: {},
        },
        { output_type: 'execute_result', data: {}, metadata: {}, execution_count: 1 },
        { output_type: 'error', ename: 'E', evalue: 'a\nb', traceback: ['x\ny', 'z'] },
      ],
    },
  ],
}

test(
  "the text is byte for byte what Python's nbformat writes",
  { skip: hasNbformat ? false : `no nbformat for ${python}` },
  () => {
    const program =
      'import json,sys,nbformat\n' +
      'nb=nbformat.from_dict(json.load(sys.stdin))\n' +
      'nbformat.validate(nb)\n' +
      'sys.stdout.buffer.write((nbformat.writes(nb)+"\\n").encode())'
    const theirs = execFileSync(python, ['-c', program], { input: JSON.stringify(awkward) })
    assert.equal(formatNotebook(awkward), theirs.toString())
  },
)

test('what was written and read again is written the same', () => {
  const path = join(folder, 'again.ipynb')
  writeNotebook(path, readNotebook(write('awkward.ipynb', awkward)))
  const once = readFileSync(path, 'utf8')
  writeNotebook(path, readNotebook(path))
  assert.equal(readFileSync(path, 'utf8'), once)
  assert.ok(once.endsWith('}\n') && once.startsWith('{\n "cells": ['))
})

test('writing through a link changes its target, keeps the mode and leaves nothing behind', () => {
  const target = write('target.ipynb', empty)
  chmodSync(target, 0o640)
  const link = join(folder, 'link.ipynb')
  symlinkSync(target, link)
  writeNotebook(link, { ...readNotebook(target), metadata: { changed: true } })
  assert.ok(lstatSync(link).isSymbolicLink())
  assert.deepEqual(readNotebook(target).metadata, { changed: true })
  assert.equal(lstatSync(target).mode & 0o777, 0o640)
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.endsWith('.tmp')),
    [],
  )
})

test('a place that cannot be written is told before the run', () => {
  assert.throws(() => {
    checkWritable(join(folder, 'no', 'such', 'folder.ipynb'))
  }, /cannot write the executed notebook to .*folder\.ipynb: ENOENT/)
  assert.throws(() => {
    checkWritable(folder)
  }, /it is a folder/)
})
