// SPDX-License-Identifier: GPL-2.0-or-later
// Runs a notebook from its first cell to its last in a kernel of its own, and saves it with its outputs.
import { dirname, resolve } from 'node:path'
import { connect, type Connected } from './connect.ts'
import { launchKernel, type LaunchOptions } from './launch.ts'
import {
  checkWritable,
  type CodeCell,
  type Notebook,
  NotebookError,
  type Output,
  readNotebook,
  writeNotebook,
} from './notebook.ts'
import { OutputRecorder } from './outputs.ts'
import { displayName, kernelName } from './spec.ts'

/** A code cell's place: the first that is run has number 1. */
export interface CellPlace {
  readonly number: number
  /** How many code cells the notebook has; those without code do not count. */
  readonly of: number
  readonly id: string
  readonly source: string
}

/** What a run is told; everything has a default. */
export interface RunOptions extends LaunchOptions {
  /** Where the executed notebook goes; over the notebook itself by default. */
  readonly out?: string
  /** Called before each cell. */
  readonly onProgress?: (cell: CellPlace) => void
  /** Called for each output as it comes. */
  readonly onOutput?: (output: Output) => void
  /** Stops the run: the kernel is ended, and what there is is saved. */
  readonly signal?: AbortSignal
}

/** How a run ended. In each case the notebook was saved to `out`. */
export type Outcome = { readonly out: string; readonly cells: number } & (
  | { readonly status: 'ok' }
  | { readonly status: 'interrupted'; readonly cell: CellPlace }
  | {
      readonly status: 'error'
      readonly cell: CellPlace
      readonly ename: string
      readonly evalue: string
      /** Lines for a terminal. */
      readonly traceback: readonly string[]
    }
)

/**
 * Runs a notebook in a new kernel, in the notebook's folder. The first cell that fails ends the run,
 * unless it has the tag `raises-exception`. A kernel that dies is an error of the cell that ran.
 * Throws a NotebookError for a file that cannot be read, run or written, and a KernelError when no
 * kernel starts: then nothing is saved.
 */
export async function runNotebook(path: string, options: RunOptions = {}): Promise<Outcome> {
  const notebook = readNotebook(path)
  const out = options.out ?? path
  checkWritable(out)
  const kernel = await launchKernel({ cwd: dirname(resolve(path)), ...options })
  let connected: Connected | undefined
  try {
    connected = await connect(kernel)
    await describeKernel(notebook, path, connected)
    const outcome = await runCells(notebook, out, connected, options)
    writeNotebook(out, notebook)
    return outcome
  } finally {
    await kernel.stop(options.signal?.aborted === true ? 0 : 3_000)
    connected?.close()
  }
}

/** Refuses a notebook in another language, and writes down what ran it, as every client does. */
async function describeKernel(
  notebook: Notebook,
  path: string,
  connected: Connected,
): Promise<void> {
  const { connection, lost } = connected
  const { language_info: language } = await Promise.race([connection.info, lost])
  const { metadata } = notebook
  for (const holder of ['language_info', 'kernelspec'] as const) {
    const told = metadata[holder]
    if (typeof told !== 'object' || told === null) continue
    const name: unknown = Reflect.get(told, holder === 'kernelspec' ? 'language' : 'name')
    if (typeof name === 'string' && name.toLowerCase() !== language.name.toLowerCase()) {
      throw new NotebookError(
        `notebook ${path} is written in ${name} (metadata.${holder}), this kernel runs ${language.name}`,
      )
    }
  }
  metadata['kernelspec'] ??= {
    display_name: displayName,
    language: language.name,
    name: kernelName,
  }
  metadata['language_info'] = { ...language }
}

async function runCells(
  notebook: Notebook,
  out: string,
  { connection, lost }: Connected,
  { onProgress, onOutput, signal }: RunOptions,
): Promise<Outcome> {
  const cells = notebook.cells.filter(
    (cell): cell is CodeCell => cell.cell_type === 'code' && cell.source.trim() !== '',
  )
  const recorder = new OutputRecorder(onOutput)
  connection.iopubMessage.connect((_sender, message) => {
    recorder.take(message)
  })
  const stopped = aborted(signal)
  for (const [i, cell] of cells.entries()) {
    const place = { number: i + 1, of: cells.length, id: cell.id, source: cell.source }
    onProgress?.(place)
    const end = { out, cells: cells.length, cell: place }
    try {
      const future = connection.requestExecute(
        { code: cell.source, allow_stdin: false, stop_on_error: true },
        true,
        { cellId: cell.id },
      )
      recorder.begin(future.msg.header.msg_id, cell)
      const reply = await Promise.race([future.done, lost, stopped])
      if (reply === 'aborted') return { status: 'interrupted', ...end }
      const { content } = reply
      if (content.status === 'ok' || mayFail(cell)) continue
      if (content.status === 'error') {
        const { ename, evalue, traceback } = content
        return { status: 'error', ...end, ename, evalue, traceback }
      }
      return { status: 'error', ...end, ename: 'Aborted', evalue: 'not run', traceback: [] }
    } catch (error) {
      if (!(error instanceof Error)) throw error
      // What the kernel printed last may follow the sentence, on lines of its own.
      const traceback = error.message.split('\n')
      const found = { ename: 'DeadKernel', evalue: traceback[0] ?? '', traceback }
      cell.outputs.push({ output_type: 'error', ...found })
      return { status: 'error', ...end, ...found }
    }
  }
  return { status: 'ok', out, cells: cells.length }
}

/** The tag that Jupyter's own tools know for a cell whose error is what it is meant to show. */
function mayFail(cell: CodeCell): boolean {
  const tags = cell.metadata['tags']
  return Array.isArray(tags) && tags.includes('raises-exception')
}

function aborted(signal: AbortSignal | undefined): Promise<'aborted'> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) resolve('aborted')
    signal?.addEventListener(
      'abort',
      () => {
        resolve('aborted')
      },
      { once: true },
    )
  })
}
