// SPDX-License-Identifier: GPL-2.0-or-later
// Compiler and runner in one process, for tests of what cells mean: no sockets, no pipes.
import { stripVTControlCharacters } from 'node:util'
import { Compiler } from '../../../kernel/compiler/compiler.ts'
import type { ApiName, FromSession } from '../../../kernel/frames.ts'
import { cellMeta, makeLoad } from '../../../kernel/session/loader.ts'
import { Neighbours } from '../../../kernel/session/neighbours.ts'
import { Runner } from '../../../kernel/session/run.ts'
import { textBundles } from '../../../kernel/session/show.ts'
import { Tracebacks } from '../../../kernel/session/traceback.ts'

/** How a cell ended: with the text of its value, or with its error. */
export type Outcome = { readonly value: string } | { readonly error: string }

/** A notebook whose cells run in the test's own process. */
export class InProcessNotebook {
  readonly compiler: Compiler
  /** What the compiler warned of in the last cell. */
  warnings = ''
  readonly #runner: Runner
  #count = 0
  #sent: FromSession[] = []
  #ended: (end: Extract<FromSession, { type: 'end' }>) => void = () => undefined

  constructor(names: readonly ApiName[] = [], folder = process.cwd()) {
    this.compiler = new Compiler(folder)
    this.compiler.setApi(names)
    const tracebacks = new Tracebacks([import.meta.dirname])
    const neighbours = new Neighbours(folder, makeLoad(folder), tracebacks)
    this.#runner = new Runner({
      send: (message) => {
        this.#sent.push(message)
        if (message.type === 'end') this.#ended(message)
      },
      barrier: () => undefined,
      load: neighbours.load,
      neighbours,
      meta: cellMeta(folder),
      names,
      loaded: () => undefined,
      ending: () => undefined,
      bundlesOf: textBundles,
      shown: () => undefined,
      asCell: (_cell, work) => work(),
      tracebacks,
    })
  }

  /** Compiles and runs a cell. */
  async run(code: string): Promise<Outcome> {
    const cell = `cell-${++this.#count}`
    const compiled = this.compiler.compile(cell, code)
    if ('error' in compiled) return { error: plain(compiled.error.traceback) }
    this.warnings = compiled.warnings
    this.#sent = []
    const end = await new Promise<Extract<FromSession, { type: 'end' }>>((resolve) => {
      this.#ended = resolve
      this.#runner.start(cell, compiled.cell, false)
    })
    this.compiler.commit(cell, end.error === undefined ? undefined : end.reached)
    if (end.error !== undefined) return { error: plain(end.error.traceback) }
    const result = this.#sent.find((message) => message.type === 'result')
    const text = result?.data['text/plain']
    return { value: typeof text === 'string' ? text : '' }
  }

  /** Runs cells one after the other; the last one's outcome. Others must not fail. */
  async runAll(cells: readonly string[]): Promise<Outcome> {
    let outcome: Outcome = { value: '' }
    for (const code of cells) {
      if ('error' in outcome) throw new Error(outcome.error)
      outcome = await this.run(code)
    }
    return outcome
  }

  /** Stops the running cell. */
  stop(): void {
    this.#runner.stop(this.#runner.cell)
  }
}

function plain(traceback: readonly string[]): string {
  return stripVTControlCharacters(traceback.join('\n'))
}
