// SPDX-License-Identifier: GPL-2.0-or-later
// stdout and stderr of user code, as messages to the front that keep their order.
import { Writable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { type FromSession, writeAll, writeFrame } from '../frames.ts'

/** A string longer than this goes out in pieces. */
const longestPiece = 1024 * 1024

let barriers = 0

/** Sends one message to the front, before it returns. */
export function send(message: FromSession): void {
  writeFrame(3, message)
}

/**
 * Puts a numbered mark into all three pipes (messages, raw stdout, raw stderr). The front takes
 * nothing behind a mark before it has seen it in all three: so output of child processes and of
 * native code, which goes to the raw pipes, stays in order with the messages.
 */
export function barrier(mark: string): void {
  const number = ++barriers
  const fds = [1, 2].filter((fd) => {
    try {
      writeAll(fd, Buffer.from(`${mark}${number}\n`))
      return true
    } catch {
      // A cell has closed it: no mark comes there, and the front must not wait for one.
      return false
    }
  })
  send({ type: 'barrier', number, fds })
}

/**
 * Makes `process.stdout` and `process.stderr`, and with them `console`, send messages. The raw
 * pipes stay untouched: opening them as streams would make them non-blocking for children as well.
 */
export function captureOutput(cell: () => string): void {
  for (const name of ['stdout', 'stderr'] as const) {
    const stream = Object.assign(new OutputStream(name, cell), { fd: name === 'stdout' ? 1 : 2 })
    Object.defineProperty(process, name, {
      configurable: true,
      enumerable: true,
      get: () => stream,
    })
  }
}

type Written = (error?: Error | null) => void

class OutputStream extends Writable {
  readonly #name: 'stdout' | 'stderr'
  readonly #cell: () => string
  /** A character may come in two chunks. */
  readonly #decoder = new StringDecoder('utf8')

  constructor(name: 'stdout' | 'stderr', cell: () => string) {
    super({ decodeStrings: false })
    this.#name = name
    this.#cell = cell
  }

  /**
   * Sends before it returns, and keeps no state between two calls: a stop that strikes in here would
   * leave a Writable for ever in the middle of a write, and swallow all later output.
   */
  override write(chunk: unknown, encoding?: BufferEncoding | Written, written?: Written): boolean {
    const done = typeof encoding === 'function' ? encoding : written
    const text = this.#textOf(chunk, typeof encoding === 'string' ? encoding : 'utf8')
    for (let at = 0; at < text.length; at += longestPiece) {
      const piece = text.slice(at, at + longestPiece)
      send({ type: 'stream', cell: this.#cell(), name: this.#name, text: piece })
    }
    if (done !== undefined) process.nextTick(done)
    return true
  }

  /** A stream that ends would swallow all later output. */
  override end(): this {
    return this
  }

  #textOf(chunk: unknown, encoding: BufferEncoding): string {
    if (chunk instanceof Uint8Array) return this.#decoder.write(Buffer.from(chunk))
    if (typeof chunk !== 'string') {
      throw new TypeError(`process.${this.#name}.write takes text or bytes, not ${typeof chunk}`)
    }
    // Text in `hex` or `base64` stands for bytes.
    return encoding === 'utf8' ? chunk : this.#decoder.write(Buffer.from(chunk, encoding))
  }
}
