// SPDX-License-Identifier: GPL-2.0-or-later
// Notebook files: read and checked, written as nbformat 4.5 writes them.
import {
  accessSync,
  constants,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isJsonObject, type JsonObject } from '../protocol/messages.ts'
import { formatNotebook, joinLines, without } from './notebookjson.ts'

/** One output of a code cell, with the member names of nbformat. */
export type Output =
  | { output_type: 'stream'; name: string; text: string }
  | { output_type: 'display_data'; data: JsonObject; metadata: JsonObject }
  | {
      output_type: 'execute_result'
      data: JsonObject
      metadata: JsonObject
      execution_count: number | null
    }
  | { output_type: 'error'; ename: string; evalue: string; traceback: string[] }

/** A code cell; members that are not looked at here stay as they are in the file. */
export interface CodeCell extends JsonObject {
  cell_type: 'code'
  id: string
  metadata: JsonObject
  source: string
  outputs: Output[]
  execution_count: number | null
}

/** A cell that is not run. */
export interface TextCell extends JsonObject {
  cell_type: 'markdown' | 'raw'
  id: string
  metadata: JsonObject
  source: string
}

/** A notebook of format 4, with lines joined. */
export interface Notebook extends JsonObject {
  nbformat: 4
  nbformat_minor: number
  metadata: JsonObject
  cells: (CodeCell | TextCell)[]
}

/** A file that is no notebook, or not one that can be run; the message names the file and the place. */
export class NotebookError extends Error {
  override name = 'NotebookError'
}

/**
 * Reads a notebook without its outputs: they, the counts and recorded run times are what a run makes
 * anew. Cells of formats 4.0 to 4.4 have no id and get `cell-K`; the result is then of format 4.5.
 */
export function readNotebook(path: string): Notebook {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const what = error instanceof SyntaxError ? 'it is not JSON: ' : ''
    throw new NotebookError(`cannot read notebook ${path}: ${what}${reason}`, { cause: error })
  }
  const wrong = (what: string): NotebookError => new NotebookError(`notebook ${path}: ${what}`)
  if (!isJsonObject(value)) throw wrong('not a JSON object')
  const { nbformat, nbformat_minor: minor, metadata, cells } = value
  if (nbformat !== 4) {
    const hint = nbformat === 3 ? '; open it in Jupyter and save it once, which converts it' : ''
    throw wrong(`nbformat is ${JSON.stringify(nbformat)}, only 4 can be read${hint}`)
  }
  if (typeof minor !== 'number') throw wrong('nbformat_minor is not a number')
  if (!isJsonObject(metadata)) throw wrong('metadata is not an object')
  if (!Array.isArray(cells)) throw wrong('cells is not a list')
  const ids = new Set<string>()
  return {
    ...value,
    nbformat: 4,
    nbformat_minor: Math.max(minor, 5),
    metadata,
    cells: cells.map((cell: unknown, i) => {
      const checked = checkCell(cell, i, wrong)
      if (ids.has(checked.id)) throw wrong(`cells[${i}].id "${checked.id}" is there twice`)
      ids.add(checked.id)
      return checked
    }),
  }
}

function checkCell(
  cell: unknown,
  i: number,
  wrong: (what: string) => NotebookError,
): CodeCell | TextCell {
  const at = `cells[${i}]`
  if (!isJsonObject(cell)) throw wrong(`${at} is not an object`)
  const { cell_type: type, id = `cell-${i + 1}`, metadata = {} } = cell
  if (type !== 'code' && type !== 'markdown' && type !== 'raw') {
    throw wrong(`${at}.cell_type is ${JSON.stringify(type)}, not "code", "markdown" or "raw"`)
  }
  if (typeof id !== 'string' || !/^[a-zA-Z0-9-_]{1,64}$/.test(id)) {
    throw wrong(`${at}.id is ${JSON.stringify(id)}, not 1 to 64 letters, digits, - or _`)
  }
  if (!isJsonObject(metadata)) throw wrong(`${at}.metadata is not an object`)
  const source = joinLines(cell['source'])
  if (source === undefined) throw wrong(`${at}.source is neither text nor a list of lines`)
  if (type !== 'code') return { ...cell, cell_type: type, id, metadata, source }
  return {
    ...cell,
    cell_type: type,
    id,
    // `execution` holds the times of an earlier run.
    metadata: without(metadata, ['execution']),
    source,
    outputs: [],
    execution_count: null,
  }
}

/** Throws a NotebookError when `path` cannot be written: better before a long run than after it. */
export function checkWritable(path: string): void {
  try {
    accessSync(dirname(path), constants.W_OK)
    const found = statSync(path, { throwIfNoEntry: false })
    if (found?.isDirectory() === true) throw new Error('it is a folder')
    if (found !== undefined) accessSync(path, constants.W_OK)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new NotebookError(`cannot write the executed notebook to ${path}: ${reason}`, {
      cause: error,
    })
  }
}

/** Writes a notebook so that a reader sees the old file or the new one, never half of one. */
export function writeNotebook(path: string, notebook: Notebook): void {
  const text = formatNotebook(notebook)
  const found = statSync(path, { throwIfNoEntry: false })
  if (found !== undefined && !found.isFile()) {
    // A pipe or a device is written to, not replaced.
    writeFileSync(path, text)
    return
  }
  const target = found === undefined ? path : realpathSync(path)
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}.tmp`)
  try {
    writeFileSync(temporary, text, found === undefined ? {} : { mode: found.mode & 0o777 })
    renameSync(temporary, target)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}
