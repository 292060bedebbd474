// SPDX-License-Identifier: GPL-2.0-or-later
// The front's side of the compiler process: ask it, and start it again with all it knew if it falls.
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import {
  type CompileResult,
  encodeFrame,
  FrameReader,
  type FromCompiler,
  type ToCompiler,
} from '../frames.ts'
import { log } from './channels.ts'
import { type Compile, Replay } from './replay.ts'
import { SnapshotBuild } from './snapshot/build.ts'
import { findSnapshot, removeSnapshot } from './snapshot/find.ts'
import { compilerEnv, compilerFlags } from './snapshot/flags.ts'

type Answer = Extract<FromCompiler, { type: 'answer' }>
type Question = Extract<ToCompiler, { id: number }>
type Statement = Exclude<ToCompiler, { id: number }>
/** A question before it has its number. */
export type Unnumbered = Question extends infer One
  ? One extends Question
    ? Omit<One, 'id'>
    : never
  : never

const script = fileURLToPath(new URL('../compiler/main.js', import.meta.url))

interface Waiting {
  readonly question: Question
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
}

/** The compiler process. */
export class CompilerProcess {
  #child: ChildProcess
  #ended = false
  /** It has compiled something, so a later end is an accident and not how it always ends. */
  #works = false
  /** The snapshot that it was started from. */
  #snapshot = findSnapshot()
  /** Should the front be killed, the compiler ends it: making a snapshot is deaf work of seconds. */
  readonly #build = new SnapshotBuild((pid) => {
    this.#write({ type: 'guard', pid })
  })
  #lastId = 0
  readonly #waiting = new Map<number, Waiting>()
  /** All that a new process must be told to know what this one knows. */
  readonly #replay = new Replay()

  constructor() {
    this.#child = this.#start()
  }

  /** Asks and waits for the answer; an Error if the compiler failed or fell. */
  ask(question: Unnumbered): Promise<Answer> {
    if (this.#ended) return Promise.reject(new Error('the compiler does not run'))
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      const numbered = { ...question, id }
      this.#waiting.set(id, { question: numbered, resolve, reject })
      this.#write(numbered)
    })
  }

  /** Asks for a cell; what it declares lives on when its `commit` is told. */
  async compile(cell: string, code: string): Promise<CompileResult | undefined> {
    const question: Compile = { type: 'compile', cell, code }
    const { compiled } = await this.ask(question)
    this.#replay.compiled(question, compiled)
    return compiled
  }

  /** Tells it something that every later answer takes into account. */
  tell(statement: Statement): void {
    this.#replay.tell(statement)
    this.#write(statement)
    // A cell has run to its end: now there is time for what makes the next start fast.
    if (statement.type === 'commit' && this.#snapshot === undefined) this.#build.soon()
  }

  /** Ends the process for good. */
  async end(): Promise<void> {
    this.#ended = true
    this.#build.end()
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = new Promise((resolve) => this.#child.once('exit', resolve))
    // It holds nothing that is not also here.
    this.#child.kill('SIGKILL')
    await gone
  }

  #write(message: ToCompiler): void {
    this.#child.stdin?.write(encodeFrame(message))
  }

  #start(): ChildProcess {
    // With a snapshot Node does not look at the script; it only says in a list of processes what this one is.
    const from = this.#snapshot === undefined ? [] : ['--snapshot-blob', this.#snapshot.path]
    const child = spawn(process.execPath, [...compilerFlags, ...from, script], {
      env: { ...process.env, ...compilerEnv },
      stdio: ['pipe', 'ignore', 'inherit', 'pipe'],
    })
    child.stdin?.on('error', () => undefined)
    const reader = new FrameReader<FromCompiler>((message) => {
      // From a snapshot it is ready at once, and has compiled nothing yet.
      if (message.type === 'ready') this.#works = this.#snapshot === undefined
      else this.#take(message)
    })
    const answers = child.stdio[3] as Readable
    answers.on('data', (chunk: Buffer) => {
      reader.push(chunk)
    })
    child.on('exit', (code, signal) => {
      if (!this.#ended) this.#restart(signal ?? `code ${code ?? 0}`)
    })
    return child
  }

  #take(answer: Answer): void {
    this.#works = true
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if (answer.failure === undefined) waiting?.resolve(answer)
    else waiting?.reject(new Error(`the compiler failed: ${answer.failure}`))
  }

  #restart(reason: string): void {
    const snapshot = this.#snapshot
    // The next one is started without: if the snapshot is to blame, it only costs time.
    this.#snapshot = undefined
    if (snapshot !== undefined && !this.#works) {
      log(`the compiler does not start from ${snapshot.path} (${reason}): it is started without`)
      removeSnapshot(snapshot)
    } else {
      const next = this.#works
        ? 'it has been started again: run the cell again'
        : 'it cannot be started'
      log(`the compiler ended (${reason}); ${next}`)
      for (const { reject } of this.#waiting.values()) {
        reject(new Error(`the compiler ended (${reason}); ${next}`))
      }
      this.#waiting.clear()
      this.#ended = !this.#works
      if (this.#ended) return
    }
    this.#works = false
    this.#child = this.#start()
    this.#write({ type: 'guard', pid: this.#build.pid })
    for (const one of this.#replay.all()) {
      this.#write(one.type === 'compile' ? { ...one, id: ++this.#lastId } : one)
    }
    for (const { question } of this.#waiting.values()) this.#write(question)
  }
}
