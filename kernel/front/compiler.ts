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

/** In megabytes. The compiler lives with 160; without a cap it lets garbage lie up to four times that. */
const heapCap = 512

/**
 * What a start costs was measured with Node 20: new space of 4 MB saves 20 MB of memory, and code
 * that is optimised later saves 0.35 s of CPU, while cell 300 costs the same. Newer Node has no
 * such flag and would not start with it.
 */
const compilerFlags = [
  `--max-old-space-size=${heapCap}`,
  '--max-semi-space-size=4',
  ...(process.versions.node.startsWith('20.') ? ['--interrupt-budget=1000000'] : []),
]

/** With an arena a thread, glibc keeps 20 MB more of what the compiler's threads have freed. */
const compilerEnv = { MALLOC_ARENA_MAX: '1' }

/** The compiler process. */
export class CompilerProcess {
  #child: ChildProcess
  #ended = false
  /** It has compiled something, so a later end is an accident and not how it always ends. */
  #works = false
  #lastId = 0
  readonly #waiting = new Map<
    number,
    { resolve: (answer: Answer) => void; reject: (error: Error) => void }
  >()
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
      this.#waiting.set(id, { resolve, reject })
      this.#write({ ...question, id })
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
  }

  /** Ends the process for good. */
  async end(): Promise<void> {
    this.#ended = true
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
    const child = spawn(process.execPath, [...compilerFlags, script], {
      env: { ...process.env, ...compilerEnv },
      stdio: ['pipe', 'ignore', 'inherit', 'pipe'],
    })
    child.stdin?.on('error', () => undefined)
    const reader = new FrameReader<FromCompiler>((message) => {
      if (message.type === 'ready') this.#works = true
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
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if (answer.failure === undefined) waiting?.resolve(answer)
    else waiting?.reject(new Error(`the compiler failed: ${answer.failure}`))
  }

  #restart(reason: string): void {
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
    this.#works = false
    this.#child = this.#start()
    for (const one of this.#replay.all()) {
      this.#write(one.type === 'compile' ? { ...one, id: ++this.#lastId } : one)
    }
  }
}
