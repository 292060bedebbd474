// SPDX-License-Identifier: GPL-2.0-or-later
// The notebook as the front keeps it: the two processes behind it, the counter, the cell that runs.
import type { CommMessage, CompiledCell, CompileResult, Inspection } from '../frames.ts'
import type { ExecuteRequest } from '../protocol/messages.ts'
import { log } from './channels.ts'
import { Comms } from './comms.ts'
import { CompilerProcess } from './compiler.ts'
import { History } from './history.ts'
import { historyPath } from './historyfolder.ts'
import type { Ask } from './input.ts'
import { type End, SessionProcess } from './session.ts'
import type { Help } from './special.ts'
import type { Output } from './streams.ts'

/** What a cell shows while it runs, and later from timers. */
export type CellOutput = Extract<
  Output,
  { type: 'stream' | 'display' | 'clear' | 'comm' | 'result' }
>

type Question = Extract<Output, { type: 'ask' }>

/** The cell was stopped before it ran. */
class Interrupted extends Error {
  override name = 'Interrupted'
}

/** A cell that does not stop by itself is told so after this; the next interrupt then ends the session. */
const stubbornMs = 5000
/** Cells whose late output still finds its place in the notebook. */
const remembered = 500

/** One notebook: cells go through here, one at a time. */
export class Notebook {
  readonly compiler = new CompilerProcess()
  readonly history = new History(historyPath())
  readonly comms = new Comms()
  /** The number of the last numbered cell. */
  count = 0
  readonly #core: string | undefined
  readonly #listeners = new Map<string, (output: CellOutput) => void>()
  #session: SessionProcess
  #unnumbered = 0
  #ending = false
  /** Who answers the cell in hand; absent between cells. */
  #ask: Ask | undefined
  /** How the cell in hand is stopped; absent between cells. */
  #stop: (() => void) | undefined

  /** `core` is the path of the module with core's names, where it is not the usual one. */
  constructor(core?: string) {
    this.#core = core
    this.#session = this.#startSession()
  }

  /** Numbers a cell, remembers its text, and returns its name. */
  openCell({ code, store_history }: ExecuteRequest): string {
    if (!store_history) return this.nextName('unnumbered')
    this.count++
    this.history.add(this.count, code)
    return `cell-${this.count}`
  }

  /** A name for code that gets no number. */
  nextName(prefix: string): string {
    return `${prefix}-${++this.#unnumbered}`
  }

  /** Hands what `cell` shows to `listener`, from now until long after its end. */
  onOutput(cell: string, listener: (output: CellOutput) => void): void {
    this.#listeners.set(cell, listener)
    if (this.#listeners.size <= remembered) return
    for (const oldest of this.#listeners.keys()) {
      this.#listeners.delete(oldest)
      break
    }
  }

  /** Checks and compiles a cell; rejects when it is interrupted meanwhile. */
  async compile(cell: string, code: string): Promise<CompileResult> {
    // The names of the API come with the session's first message.
    await this.#session.ready
    const stopped = new Promise<never>((_resolve, reject) => {
      this.#stop = () => {
        reject(new Interrupted('the cell was stopped before it ran'))
      }
    })
    try {
      const asked = this.compiler.compile(cell, code)
      const compiled = await Promise.race([asked, stopped])
      if (compiled === undefined) throw new Error('the compiler gave no answer')
      if ('warnings' in compiled && compiled.warnings !== '') {
        this.#show({ type: 'stream', cell, name: 'stderr', text: compiled.warnings })
      }
      return compiled
    } finally {
      this.#stop = undefined
    }
  }

  /** What is known about a name that a cell could use. */
  async inspect({ name, detail }: Help): Promise<Inspection> {
    await this.#session.ready
    const question = { type: 'inspect' as const, code: name, cursor: name.length, detail }
    const { inspection } = await this.compiler.ask(question)
    return inspection ?? { found: false, data: {} }
  }

  /** Runs a compiled cell to its end, which may be an error; rejects when the session is lost. */
  async run(
    type: 'run' | 'evaluate',
    cell: string,
    compiled: CompiledCell,
    ask: Ask,
  ): Promise<End> {
    const session = this.#session
    this.#ask = ask
    let notice: NodeJS.Timeout | undefined
    let stubborn = false
    this.#stop = () => {
      if (stubborn) {
        session.kill()
        return
      }
      session.interrupt()
      notice ??= setTimeout(() => {
        stubborn = true
        this.#show({ type: 'stream', cell, name: 'stderr', text: stubbornText })
      }, stubbornMs)
    }
    try {
      return await session.run(type, cell, compiled)
    } finally {
      clearTimeout(notice)
      this.#stop = undefined
      this.#ask = undefined
    }
  }

  /** Lets the names of a cell that has run live on; after an error, those that have a value. */
  commit(cell: string, end: End): void {
    const reached = end.error === undefined ? {} : { reached: end.reached }
    this.compiler.tell({ type: 'commit', cell, ...reached })
  }

  /** Stops the cell in hand; between cells, what a timer or a promise of an older one is busy with. */
  interrupt(): void {
    if (this.#stop === undefined) this.#session.interrupt()
    else this.#stop()
  }

  /** Ends both processes and whatever cells have started. */
  async end(): Promise<void> {
    this.#ending = true
    await Promise.all([this.compiler.end(), this.#session.end()])
  }

  /** Gives a client's message to the session; false if there is nobody for it. */
  passComm(message: CommMessage): boolean {
    const known = this.comms.note(message, false)
    if (known) this.#session.passComm(message)
    return known
  }

  #show(output: CellOutput): void {
    if (output.type === 'comm') this.comms.note(output, true)
    const listener = this.#listeners.get(output.cell)
    if (listener !== undefined) listener(output)
    // Before the first cell: what Node says when the session cannot start.
    else if (output.type === 'stream') log(output.text)
  }

  async #answer(session: SessionProcess, { id, prompt, password }: Question): Promise<void> {
    try {
      if (this.#ask === undefined) throw new Error('there is nobody to ask: no cell runs')
      session.answer({ id, value: await this.#ask(prompt, password) })
    } catch (error) {
      session.answer({ id, failure: error instanceof Error ? error.message : String(error) })
    }
  }

  #startSession(): SessionProcess {
    let up = false
    const session: SessionProcess = new SessionProcess(
      {
        hello: (names) => {
          up = true
          this.compiler.tell({ type: 'names', names })
        },
        output: (output) => {
          if (output.type === 'declare') this.compiler.tell(output)
          else if (output.type === 'target') this.comms.setTarget(output.name, output.known)
          else if (output.type === 'ask') void this.#answer(session, output)
          else this.#show(output)
        },
      },
      this.#core,
    )
    void session.gone.then((reason) => {
      if (this.#ending) return
      log(`the session is gone: ${reason}`)
      this.compiler.tell({ type: 'forget' })
      this.comms.forget()
      // One that does not come up would not the next time either; a cell then says so.
      if (up) this.#session = this.#startSession()
    })
    return session
  }
}

const stubbornText =
  'The cell does not stop: it is in a call that cannot be broken off. ' +
  'Interrupt once more to end its process; all variables are then lost.\n'
