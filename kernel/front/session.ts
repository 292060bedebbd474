// SPDX-License-Identifier: GPL-2.0-or-later
// The front's side of the session process: start it, run cells in it, stop it, notice when it is gone.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import {
  type ApiName,
  type CommMessage,
  type CompiledCell,
  encodeFrame,
  FrameReader,
  type FromSession,
  type ToSession,
} from '../frames.ts'
import { withLargePages } from './largepages.ts'
import { Pace } from './pace.ts'
import { type Output, SessionStreams } from './streams.ts'

/** The end of a cell. */
export type End = Extract<FromSession, { type: 'end' }>

/** What a session tells whoever started it. */
export interface SessionListener {
  /** It is up; these are the names that cells have. */
  readonly hello: (names: readonly ApiName[]) => void
  /** Everything that it shows or declares, in order; ends of cells come by `run`. */
  readonly output: (output: Exclude<Output, End>) => void
}

/** The session ended by itself, and all variables with it. */
export class SessionLost extends Error {
  override name = 'SessionLost'
}

const isNode24 = Number(process.versions.node.split('.')[0]) >= 24
const sessionScript = fileURLToPath(new URL('../session/main.js', import.meta.url))

/** Follows a cell through its timers and promises; Node 24 does so by itself, 20 cannot. */
const contextFlag = '--experimental-async-context-frame'

const sessionFlags = [
  ...(process.allowedNodeEnvironmentFlags.has(contextFlag) && !isNode24 ? [contextFlag] : []),
  // Without this Node aborts when a stopped timer callback is unwound (seen on 20, 22, 24).
  '--no-force-async-hooks-checks',
  // Imports of cells use a loader that Node still calls experimental.
  '--disable-warning=ExperimentalWarning',
]

/** After this a blocking child process of the cell is sent SIGINT. */
const childrenMs = 150
/** What a session that is gone has left in its pipes is read for so long. */
const lastWordsMs = 20
/** A process group that SIGTERM does not end is killed after this. */
const killMs = 1000

/** One session process. */
export class SessionProcess {
  /** Settles when the process is up, or is gone before. */
  readonly ready: Promise<void>
  /** Settles when the process is gone, with how it ended. */
  readonly gone: Promise<string>
  readonly #child: ChildProcess
  readonly #toSession: Writable
  readonly #streams: SessionStreams
  readonly #pace: Pace
  /** Why the process is gone. */
  #lost: SessionLost | undefined
  #running: { cell: string; end: (end: End) => void; lost: (error: Error) => void } | undefined

  /** `core` is the path of the module with core's names; without it the session knows its own. */
  constructor(listener: SessionListener, core?: string) {
    // A byte that text does not hold, and digits that nobody can guess.
    const mark = `\u0001qemu-vtop-${randomBytes(8).toString('hex')}:`
    const script = [sessionScript, mark, ...(core === undefined ? [] : [core])]
    this.#child = spawn(process.execPath, [...sessionFlags, ...script], {
      // A group of its own: cells' child processes are stopped and ended with it.
      detached: true,
      env: withLargePages(process.env),
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    })
    const [, stdout, stderr, messages, toSession] = this.#child.stdio
    this.#toSession = toSession as Writable
    // Writing to a session that has just gone is told by `gone`.
    this.#toSession.on('error', () => undefined)
    const pipes = [messages, stdout, stderr] as Readable[]
    const publish = (output: Output): void => {
      if (output.type !== 'end') listener.output(output)
      else if (this.#running?.cell === output.cell) {
        const { end } = this.#running
        this.#running = undefined
        end(output)
      }
    }
    // A pipe that is not read fills up, and whoever prints then waits.
    this.#pace = new Pace(publish, (wait) => {
      for (const pipe of pipes) {
        if (wait) pipe.pause()
        else pipe.resume()
      }
    })
    this.#streams = new SessionStreams(mark, (output) => {
      this.#pace.take(output)
    })
    let isReady = (): void => undefined
    this.ready = new Promise((resolve) => {
      isReady = resolve
    })
    const reader = new FrameReader<FromSession>((message) => {
      if (message.type !== 'hello') this.#streams.takeMessage(message)
      else {
        listener.hello(message.names)
        isReady()
      }
    })
    listen(messages as Readable, (chunk) => {
      try {
        reader.push(chunk)
      } catch {
        // User code wrote to fd 3; nothing that follows can be read.
        this.kill()
      }
    })
    listen(stdout as Readable, (chunk) => {
      this.#streams.takeRaw(1, chunk)
    })
    listen(stderr as Readable, (chunk) => {
      this.#streams.takeRaw(2, chunk)
    })
    this.gone = this.#ending().finally(isReady)
  }

  /** Runs a cell (or evaluates an expression) to its end; a SessionLost if the process ends before. */
  run(type: 'run' | 'evaluate', cell: string, compiled: CompiledCell): Promise<End> {
    return new Promise((end, lost) => {
      if (this.#lost !== undefined) {
        lost(this.#lost)
        return
      }
      this.#running = { cell, end, lost }
      this.#streams.startCell(cell)
      this.#tell({ type, cell, ...compiled })
    })
  }

  /**
   * Stops the running cell; its end comes as its error. When none runs, stops the callback of an older cell that
   * keeps the process busy, if there is one.
   */
  interrupt(): void {
    const stopped = this.#running
    this.#tell({ type: 'interrupt' })
    if (stopped === undefined) return
    this.#pace.hurry(stopped.cell)
    setTimeout(() => {
      if (this.#running === stopped) this.#signalGroup('SIGINT')
    }, childrenMs).unref()
  }

  /** Gives it a client's message to a comm. */
  passComm(message: CommMessage): void {
    this.#tell({ type: 'comm', ...message })
  }

  /** Answers a question of the session. */
  answer(answer: Omit<Extract<ToSession, { type: 'answer' }>, 'type'>): void {
    this.#tell({ type: 'answer', ...answer })
  }

  /** Ends the process and its children: asked first, then killed. */
  async end(): Promise<void> {
    this.#signalGroup('SIGTERM')
    const timer = setTimeout(() => {
      this.kill()
    }, killMs)
    await this.gone
    clearTimeout(timer)
    // Children that did not listen to SIGTERM.
    this.#signalGroup('SIGKILL')
  }

  kill(): void {
    this.#signalGroup('SIGKILL')
  }

  #tell(message: ToSession): void {
    this.#toSession.write(encodeFrame(message))
  }

  #signalGroup(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined) return
    try {
      process.kill(-this.#child.pid, signal)
    } catch {
      // The whole group is gone.
    }
  }

  async #ending(): Promise<string> {
    const reason = await new Promise<string>((resolve) => {
      this.#child.on('error', (error) => {
        resolve(error.message)
      })
      this.#child.on('exit', (code, signal) => {
        resolve(signal === null ? `it exited with code ${code ?? 0}` : `it was ended by ${signal}`)
      })
    })
    // `exit` may come before the last output has been read, the more so where reading had to wait.
    this.#pace.hurry(this.#running?.cell ?? '')
    await new Promise((resolve) => setTimeout(resolve, lastWordsMs))
    this.#streams.finish()
    this.#lost = new SessionLost(
      `the process that runs the cells is gone (${reason}), and all variables with it`,
    )
    this.#running?.lost(this.#lost)
    this.#running = undefined
    return reason
  }
}

function listen(pipe: Readable, take: (chunk: Buffer) => void): void {
  pipe.on('data', take)
  pipe.on('error', () => undefined)
}
