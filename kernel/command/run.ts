// SPDX-License-Identifier: GPL-2.0-or-later
// `qemu-vtop run`: a notebook from its first cell to its last, without a browser.
import { basename, dirname, extname, join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { KernelError } from '../client/launch.ts'
import { NotebookError, type Output } from '../client/notebook.ts'
import { type CellPlace, type Outcome, runNotebook } from '../client/run.ts'
import { CommandError, exitCode, parseArguments, print, usageError, type Verb } from './verb.ts'

const help = `Usage: qemu-vtop run NOTEBOOK [-o OUT] [--show]

Runs all code cells of a notebook in a new kernel, in the notebook's folder, and
saves the notebook with its outputs. Needs no Jupyter and no Python. Progress is
told on stderr. The first cell that fails ends the run (unless it has the tag
"raises-exception"); what was done up to there is saved all the same.

  -o, --out OUT    where to save; NOTEBOOK itself may be given.
                   Default: NAME.executed.ipynb beside NOTEBOOK
      --show       also print the outputs, as text

Examples:
  qemu-vtop run notebook.ipynb
  qemu-vtop run notebook.ipynb -o notebook.ipynb
  DUMP=/var/crash/vmcore qemu-vtop run report.ipynb -o report-today.ipynb --show
    (a cell reads process.env.DUMP)

Exit codes:
  0    all cells have run
  1    a cell failed, or the notebook or the kernel cannot be used
  2    the arguments are wrong
  130  interrupted; what was done up to there is saved
`

async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArguments({
    args: [...args],
    options: { out: { type: 'string', short: 'o' }, show: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  const [path, another] = positionals
  if (path === undefined) throw usageError('no notebook given')
  if (another !== undefined) throw usageError(`one notebook at a time; "${another}" is too much`)
  const out = values.out ?? join(dirname(path), `${basename(path, extname(path))}.executed.ipynb`)
  const interruption = new AbortController()
  const interrupt = (): void => {
    // Who presses ^C twice does not want to wait; leaving ends the kernel too.
    if (interruption.signal.aborted) process.exit(exitCode.interrupted)
    interruption.abort()
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, interrupt)
  try {
    const outcome = await runNotebook(path, {
      out,
      onProgress: (cell) =>
        process.stderr.write(`cell ${cell.number} of ${cell.of}: ${title(cell)}\n`),
      signal: interruption.signal,
      ...(values.show ? { onOutput: show } : {}),
    })
    return await tell(outcome)
  } catch (error) {
    if (!(error instanceof NotebookError || error instanceof KernelError)) throw error
    throw new CommandError(error.message, exitCode.failed, { cause: error })
  } finally {
    for (const signal of signals) process.removeListener(signal, interrupt)
  }
}

async function tell(outcome: Outcome): Promise<number> {
  switch (outcome.status) {
    case 'ok':
      await print(`executed notebook: ${outcome.out}\n`)
      return exitCode.ok
    case 'interrupted':
      process.stderr.write(
        `interrupted in ${where(outcome.cell)}; saved up to there: ${outcome.out}\n`,
      )
      return exitCode.interrupted
    case 'error': {
      const { cell, ename, evalue, traceback } = outcome
      const trace = traceback.join('\n')
      const message = [
        `${where(cell)} failed: ${ename}: ${evalue}`,
        ...cell.source.split('\n').map((line, i) => `  ${String(i + 1).padStart(3)} | ${line}`),
        process.stderr.isTTY ? trace : stripVTControlCharacters(trace),
        `saved up to there: ${outcome.out}`,
      ]
      throw new CommandError(message.join('\n'))
    }
  }
}

function where(cell: CellPlace): string {
  return `cell ${cell.number} of ${cell.of} (id ${cell.id})`
}

/** The first line that is code, for the progress. */
function title(cell: CellPlace): string {
  const lines = cell.source.split('\n').map((line) => line.trim())
  const line = lines.find((each) => each !== '' && !each.startsWith('//')) ?? lines[0] ?? ''
  return line.length > 70 ? `${line.slice(0, 69)}…` : line
}

function show(output: Output): void {
  switch (output.output_type) {
    case 'stream':
      ;(output.name === 'stderr' ? process.stderr : process.stdout).write(output.text)
      break
    case 'error':
      break
    case 'display_data':
    case 'execute_result': {
      const text = output.data['text/plain']
      if (typeof text === 'string') process.stdout.write(`${text.trimEnd()}\n`)
    }
  }
}

/** The verb `run`. */
export const verb: Verb = { help, run }
