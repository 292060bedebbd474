// SPDX-License-Identifier: GPL-2.0-or-later
// What front, compiler and session say to each other, and how one such message stands in a pipe.
import { writeSync } from 'node:fs'

/** A name that cells have without an import: the export `name` of the compiled file `module`. */
export interface ApiName {
  readonly name: string
  /** Absolute path of the `.js` file; its `.d.ts` lies beside it. */
  readonly module: string
}

/** A declaration file of the session's own making, part of every later cell's program. */
export interface DeclarationText {
  /** Such as `dump-1.d.ts`: a name is never given twice with different text. */
  readonly name: string
  readonly text: string
  /** What the API takes as text or number, for completion; these come when there is time for them. */
  readonly known?: DumpNames
}

/** What an opened dump holds, by the names that a cell can ask for. */
export interface DumpNames {
  readonly tasks: readonly { readonly pid: number; readonly comm: string }[]
  /** Virtual machines by the name or UUID by which `dump.vm` finds them. */
  readonly vms: readonly string[]
  /** All names of kernel symbols, sorted, each followed by a line feed. */
  readonly symbols: string
}

/** Mime type to content, and mime type to its options, as display messages carry them. */
export interface MimeBundle {
  readonly data: Readonly<Record<string, unknown>>
  readonly metadata: Readonly<Record<string, unknown>>
}

/** An error as the notebook shows it. */
export interface CellError {
  readonly ename: string
  readonly evalue: string
  readonly traceback: readonly string[]
}

/** A file beside the notebook that cells import, as the session is to run it. */
export interface NeighbourFile {
  /** Absolute. */
  readonly path: string
  /** Another one when the file was edited. */
  readonly version: string
  /** `module`: `js` is a call of `System.register`. `json`: `js` is the text. `commonjs`: Node reads it. */
  readonly form: 'module' | 'json' | 'commonjs'
  readonly js: string
  /** The source map of `js` as JSON, or empty. */
  readonly map: string
}

/** A cell made ready to run. */
export interface CompiledCell {
  /** A function expression whose parameters are `$cell` and one box for each of `boxes`. */
  readonly js: string
  /** The source map of `js` as JSON. */
  readonly map: string
  readonly boxes: readonly string[]
  /** New and edited files that the cell may import; absent when there are none. */
  readonly files?: readonly NeighbourFile[]
}

/** What passes over a comm, in either direction. */
export interface CommMessage {
  readonly action: 'open' | 'msg' | 'close'
  /** The comm's id. */
  readonly comm: string
  /** The name under which it is opened; empty for other actions of a client. */
  readonly target: string
  readonly data: unknown
  /** Binary parts in base64. */
  readonly buffers: readonly string[]
}

/** front → compiler. Those with an `id` are answered. */
export type ToCompiler =
  | { readonly type: 'names'; readonly names: readonly ApiName[] }
  | ({ readonly type: 'declare' } & DeclarationText)
  | { readonly type: 'compile'; readonly id: number; readonly cell: string; readonly code: string }
  /** The cell has run; of its names those in `reached` have a value (all of them when absent). */
  | { readonly type: 'commit'; readonly cell: string; readonly reached?: readonly string[] }
  /** The session's values are gone, and with them all names of cells. */
  | { readonly type: 'forget' }
  /** A process of the front's that must not outlive it; 0 when there is none any more. */
  | { readonly type: 'guard'; readonly pid: number }
  | {
      readonly type: 'complete'
      readonly id: number
      readonly code: string
      readonly cursor: number
    }
  | {
      readonly type: 'inspect'
      readonly id: number
      readonly code: string
      readonly cursor: number
      readonly detail: number
    }
  | { readonly type: 'is_complete'; readonly id: number; readonly code: string }

/** What the compiler answers to a `compile`. */
export type CompileResult =
  | { readonly cell: CompiledCell; readonly warnings: string; readonly links: CellLinks }
  | { readonly error: CellError }

/** How a cell hangs together with others. */
export interface CellLinks {
  /** The names that live on from it: values and types. */
  readonly declares: readonly string[]
  /** The cells whose names it mentions. */
  readonly needs: readonly string[]
}

/** Completions; positions are counted as the client counts them, in code points. */
export interface Completion {
  readonly matches: readonly string[]
  readonly start: number
  readonly end: number
  /** For each match its kind, and how it is called where it is a function. */
  readonly types: readonly {
    readonly text: string
    readonly type: string
    readonly signature?: string
  }[]
}

/** What is known about the name at a place, or `found: false`. */
export interface Inspection {
  readonly found: boolean
  readonly data: Readonly<Record<string, string>>
}

/** Whether a cell can be run as it stands. */
export interface Completeness {
  readonly status: 'complete' | 'incomplete' | 'invalid'
  /** White space to begin the next line with, when incomplete. */
  readonly indent?: string
}

/** compiler → front: the answer to the request with this id; `failure` is a fault of the compiler itself. */
export type FromCompiler =
  | { readonly type: 'ready' }
  | {
      readonly type: 'answer'
      readonly id: number
      readonly compiled?: CompileResult
      readonly completion?: Completion
      readonly inspection?: Inspection
      readonly completeness?: Completeness
      readonly failure?: string
    }

/** front → session. */
export type ToSession =
  | ({ readonly type: 'run'; readonly cell: string } & CompiledCell)
  /** Evaluates for the reply's user_expressions: the bundle goes into `end`, nothing is displayed. */
  | ({ readonly type: 'evaluate'; readonly cell: string } & CompiledCell)
  | { readonly type: 'interrupt' }
  | ({ readonly type: 'comm' } & CommMessage)
  /** To the `ask` with this id: a text, or why there is none. */
  | {
      readonly type: 'answer'
      readonly id: number
      readonly value?: string
      readonly failure?: string
    }

/** session → front. */
export type FromSession =
  | { readonly type: 'hello'; readonly names: readonly ApiName[] }
  | ({ readonly type: 'declare' } & DeclarationText)
  | {
      readonly type: 'stream'
      readonly cell: string
      readonly name: 'stdout' | 'stderr'
      readonly text: string
    }
  /** With an `id` it can be changed later: by one with the same id and `update`. */
  | ({
      readonly type: 'display'
      readonly cell: string
      readonly id?: string
      readonly update?: true
    } & MimeBundle)
  /** Takes away what the cell has shown: at once, or when it shows something next. */
  | { readonly type: 'clear'; readonly cell: string; readonly wait: boolean }
  | ({ readonly type: 'result'; readonly cell: string } & MimeBundle)
  | ({ readonly type: 'comm'; readonly cell: string } & CommMessage)
  /** Clients may open comms of this name, or no longer. */
  | { readonly type: 'target'; readonly name: string; readonly known: boolean }
  /** The person at the notebook is asked for a line of text. */
  | {
      readonly type: 'ask'
      readonly cell: string
      readonly id: number
      readonly prompt: string
      readonly password: boolean
    }
  /** The same number went, as a mark, into the raw pipes `fds` (1, 2): output before it is older. */
  | { readonly type: 'barrier'; readonly number: number; readonly fds: readonly number[] }
  | {
      readonly type: 'end'
      readonly cell: string
      /** The names that got their value; fewer than declared after an error. */
      readonly reached: readonly string[]
      readonly error?: CellError
      readonly bundle?: MimeBundle
    }

/** The longest message that a reader takes, in bytes. Only broken or hostile output is longer. */
const longest = 512 * 1024 * 1024

/** One message as bytes: a little-endian u32 with the length of the JSON, then the JSON. */
export function encodeFrame(message: ToCompiler | FromCompiler | ToSession | FromSession): Buffer {
  const json = JSON.stringify(message)
  const length = Buffer.byteLength(json)
  const frame = Buffer.allocUnsafe(4 + length)
  frame.writeUInt32LE(length, 0)
  frame.write(json, 4)
  return frame
}

/**
 * Writes one message to a pipe of this process and returns when it is there: also from a loop that
 * never yields. A full pipe that does not block is waited for.
 */
export function writeFrame(fd: number, message: FromCompiler | FromSession): void {
  const next = encodeFrame(message)
  const begun = unwritten.get(fd)
  writeAll(
    fd,
    begun === undefined || begun.length === 0 ? next : Buffer.concat([begun, next]),
    (rest) => {
      unwritten.set(fd, rest)
    },
  )
}

/** What is left of a message whose writing was stopped in the middle: the reader waits for it. */
const unwritten = new Map<number, Uint8Array>()

/** Writes all of `bytes` to `fd`, however full the pipe is; `left` is told what is left after each step. */
export function writeAll(
  fd: number,
  bytes: Uint8Array,
  left: (rest: Uint8Array) => void = () => undefined,
): void {
  let at = 0
  while (at < bytes.length) {
    try {
      at += writeSync(fd, bytes, at)
      left(bytes.subarray(at))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

/** Puts the chunks of a pipe together again and calls `take` for every whole message, in order. */
export class FrameReader<Frame> {
  readonly #take: (message: Frame) => void
  #chunks: Buffer[] = []
  #size = 0

  constructor(take: (message: Frame) => void) {
    this.#take = take
  }

  /** Throws a RangeError when a length is beyond all measure, a SyntaxError when a message is no JSON. */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#size += chunk.length
    for (;;) {
      const length = this.#size < 4 ? 0 : this.#front(4).readUInt32LE(0)
      if (length > longest) throw new RangeError(`a frame of ${length} bytes cannot be`)
      if (this.#size < 4 || this.#size < 4 + length) return
      const bytes = this.#front(4 + length)
      const rest = bytes.subarray(4 + length)
      this.#chunks[0] = rest
      this.#size -= 4 + length
      // Both ends of the pipe are this file's: what was encoded above is decoded here.
      this.#take(JSON.parse(bytes.toString('utf8', 4, 4 + length)) as Frame)
    }
  }

  /** The first chunk, made at least `count` bytes long by joining. */
  #front(count: number): Buffer {
    let first = this.#chunks[0] ?? Buffer.alloc(0)
    if (first.length < count) {
      first = Buffer.concat(this.#chunks)
      this.#chunks = [first]
    }
    return first
  }
}
