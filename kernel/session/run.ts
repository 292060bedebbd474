// SPDX-License-Identifier: GPL-2.0-or-later
// Runs one cell after the other, and always comes to an end of each: a value, an error, or a stop.
//
// A stop may tear down the stack at any point of user code and drops the promises that were ready
// to run. So nothing here awaits user code: a cell's end is declared by whichever event comes first.
import { runInThisContext } from 'node:vm'
import type { ApiName, CompiledCell, FromSession, MimeBundle, NeighbourFile } from '../frames.ts'
import { interruptBehind, Interrupted, Waits } from './interrupted.ts'
import type { Load } from './loader.ts'
import type { Box, Neighbours } from './neighbours.ts'
import type { BundlesOf } from './show.ts'
import type { Tracebacks } from './traceback.ts'

/** A cell on its way. */
interface Run {
  readonly cell: string
  readonly waits: Waits
  readonly reached: Set<string>
  /** For `evaluate`: the value goes into the end message, and nothing is shown. */
  readonly quiet: boolean
  ended: boolean
}

/** What the runner needs from the rest of the session. */
export interface Surroundings {
  readonly send: (message: FromSession) => void
  /** Sends a mark down all pipes, so that the end of a cell comes after all its output. */
  readonly barrier: () => void
  readonly load: Load
  /** Files beside the notebook: takes new ones, and keeps what was imported from them up to date. */
  readonly neighbours: Pick<Neighbours, 'add' | 'keep'>
  readonly meta: unknown
  readonly names: readonly ApiName[]
  /** Told of each module of the API that was loaded. */
  readonly loaded: (exported: Readonly<Record<string, unknown>>) => void
  /** Called when a cell's value has been shown, or when it failed, before its end is told. */
  readonly ending: (cell: string, failed: boolean) => void
  readonly bundlesOf: BundlesOf
  /** Resolved when all that cells have displayed is shown; undefined when it already is. */
  readonly shown: () => Promise<void> | undefined
  readonly tracebacks: Tracebacks
  /** Calls a cell's code so that what it starts is known to be the cell's. */
  readonly asCell: <Result>(cell: string, work: () => Result) => Result
}

/** The cells of one notebook: their boxes, and the one that runs. */
export class Runner {
  readonly #boxes = new Map<string, Box>()
  readonly #around: Surroundings
  #run: Run = { cell: '', waits: new Waits(), reached: new Set(), quiet: false, ended: true }

  constructor(around: Surroundings) {
    this.#around = around
  }

  /** The cell that runs, or the last one that ran. */
  get cell(): string {
    return this.#run.cell
  }

  /** Starts a cell; its end comes as an `end` message. */
  start(cell: string, compiled: CompiledCell, quiet: boolean): void {
    const run: Run = { cell, waits: new Waits(), reached: new Set(), quiet, ended: false }
    this.#run = run
    this.#around.tracebacks.add(`${cell}.ts`, compiled.map)
    const { files } = compiled
    const missing = this.#unloaded(compiled.boxes)
    if (missing.length === 0 && files === undefined) this.#call(run, compiled)
    else {
      this.#prepare(missing, files ?? []).then(
        () => {
          if (!run.ended) this.#call(run, compiled)
        },
        (error: unknown) => {
          this.#fail(run, error)
        },
      )
    }
  }

  /** Ends `cell`, if it still runs, as stopped by the user. May be called again and again. */
  stop(cell: string): void {
    const run = this.#run
    if (run.ended || run.cell !== cell) return
    run.waits.stop()
    this.#fail(run, new Interrupted())
  }

  #call(run: Run, { js, boxes }: CompiledCell): void {
    const $cell = {
      import: this.#around.load,
      meta: this.#around.meta,
      until: (value: unknown) => run.waits.until(value),
      each: (items: AsyncIterable<unknown>) => run.waits.each(items),
      keep: this.#around.neighbours.keep,
      reached: (...names: readonly string[]) => {
        for (const name of names) run.reached.add(name)
      },
    }
    try {
      // One line before the body is the function's head: line 0, so that the body begins at 1.
      const made: unknown = runInThisContext(js, { filename: `${run.cell}.ts`, lineOffset: -1 })
      const body = made as (...given: unknown[]) => Promise<{ value: unknown } | undefined>
      const given = boxes.map((name) => this.#box(name))
      this.#around
        .asCell(run.cell, () => body($cell, ...given))
        .then(
          (result) => {
            this.#afterShown(run, () => {
              this.#succeed(run, result?.value)
            })
          },
          (error: unknown) => {
            this.#afterShown(run, () => {
              this.#fail(run, error)
            })
          },
        )
    } catch (error) {
      this.#fail(run, error)
    }
  }

  /** A cell that does not await `display` is over when all is shown. A stop does not wait for it. */
  #afterShown(run: Run, then: () => void): void {
    const shown = this.#around.shown()
    if (shown === undefined || run.ended) then()
    else {
      void shown.then(() => {
        this.#afterShown(run, then)
      })
    }
  }

  #succeed(run: Run, value: unknown): void {
    if (run.ended) return
    if (value === undefined && !run.quiet) {
      this.#end(run, {})
      return
    }
    let bundles: ReturnType<BundlesOf>
    try {
      bundles = this.#around.bundlesOf(value)
    } catch (error) {
      this.#fail(run, error)
      return
    }
    if (bundles instanceof Promise) {
      bundles.then(
        (made) => {
          this.#finish(run, made)
        },
        (error: unknown) => {
          this.#fail(run, error)
        },
      )
    } else this.#finish(run, bundles)
  }

  #finish(run: Run, [first, ...more]: readonly MimeBundle[]): void {
    if (run.ended) return
    if (run.quiet) {
      this.#end(run, first === undefined ? {} : { bundle: first })
      return
    }
    const { cell } = run
    try {
      if (first !== undefined) this.#around.send({ type: 'result', cell, ...first })
      for (const bundle of more) this.#around.send({ type: 'display', cell, ...bundle })
    } catch (error) {
      // What a message cannot hold must not keep the cell from its end.
      this.#fail(run, error)
      return
    }
    this.#end(run, {})
  }

  #fail(run: Run, thrown: unknown): void {
    if (run.ended) return
    // Work that was stopped may say how far it came; the user asked for the stop, and knows no such error.
    const told = interruptBehind(thrown) ?? thrown
    this.#end(run, { error: this.#around.tracebacks.describe(told) })
  }

  #end(run: Run, outcome: Pick<Extract<FromSession, { type: 'end' }>, 'error' | 'bundle'>): void {
    if (!run.quiet) this.#around.ending(run.cell, outcome.error !== undefined)
    this.#around.barrier()
    this.#around.send({ type: 'end', cell: run.cell, reached: [...run.reached], ...outcome })
    // Last: if a stop strikes in here, the end is sent again, and the front takes the first.
    run.ended = true
  }

  #box(name: string): Box {
    const box = this.#boxes.get(name) ?? { v: undefined }
    this.#boxes.set(name, box)
    return box
  }

  /** Names of the API that this cell is the first to use: core is loaded when it is needed. */
  #unloaded(boxes: readonly string[]): ApiName[] {
    return this.#around.names.filter(({ name }) => boxes.includes(name) && !this.#boxes.has(name))
  }

  async #prepare(names: readonly ApiName[], files: readonly NeighbourFile[]): Promise<void> {
    await this.#around.neighbours.add(files)
    for (const { name, module } of names) {
      const exported = (await this.#around.load(module)) as Readonly<Record<string, unknown>>
      this.#around.loaded(exported)
      this.#box(name).v = exported[name]
    }
  }
}
