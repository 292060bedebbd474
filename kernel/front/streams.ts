// SPDX-License-Identifier: GPL-2.0-or-later
// The three pipes of a session brought into one order, and text gathered into fewer messages.
import { StringDecoder } from 'node:string_decoder'
import type { FromSession } from '../frames.ts'

/** What comes out, in order. */
export type Output = Exclude<FromSession, { type: 'barrier' } | { type: 'hello' }>

/** Text of one stream is gathered this long, or until there is this much of it. */
const gatherMs = 30
const gatherLength = 64 * 1024

/** 0 is the pipe of messages, 1 and 2 are raw stdout and stderr. */
type Lane = 0 | 1 | 2
type Item =
  Output | { readonly type: 'barrier'; readonly number: number; readonly fds?: readonly number[] }

/**
 * Orders what a session writes. Messages and raw output come by pipes of their own; nothing behind
 * a barrier is let out before all three have reached it.
 */
export class SessionStreams {
  readonly #mark: string
  readonly #out: (output: Output) => void
  readonly #lanes: Record<Lane, Item[]> = { 0: [], 1: [], 2: [] }
  readonly #decoders = { 1: new StringDecoder('utf8'), 2: new StringDecoder('utf8') }
  readonly #held = { 1: '', 2: '' }
  #cell = ''
  #gathered:
    { name: 'stdout' | 'stderr'; cell: string; texts: string[]; length: number } | undefined
  #timer: NodeJS.Timeout | undefined

  /** `mark` stands before the number of a barrier in raw output. */
  constructor(mark: string, out: (output: Output) => void) {
    this.#mark = mark
    this.#out = out
  }

  /** Raw output from now on belongs to this cell. */
  startCell(cell: string): void {
    this.#cell = cell
  }

  takeMessage(message: Output | Extract<FromSession, { type: 'barrier' }>): void {
    this.#lanes[0].push(message)
    this.#advance()
  }

  /** Takes raw output of children and native code: text, and marks between. */
  takeRaw(fd: 1 | 2, chunk: Buffer): void {
    let text = this.#held[fd] + this.#decoders[fd].write(chunk)
    for (;;) {
      const at = text.indexOf(this.#mark)
      const end = at < 0 ? -1 : text.indexOf('\n', at)
      if (end < 0) break
      this.#pushRaw(fd, text.slice(0, at))
      this.#lanes[fd].push({
        type: 'barrier',
        number: Number(text.slice(at + this.#mark.length, end)),
      })
      text = text.slice(end + 1)
    }
    const keep = this.#startOfMark(text)
    this.#pushRaw(fd, text.slice(0, keep))
    this.#held[fd] = text.slice(keep)
    this.#advance()
  }

  /** The session is gone: lets out what is still here. */
  finish(): void {
    for (const lane of [1, 2, 0] as const) {
      for (const item of this.#lanes[lane]) if (item.type !== 'barrier') this.#emit(item)
      this.#lanes[lane].length = 0
    }
    this.#flush()
  }

  /** Where in `text` a mark begins whose end has not come yet; its length if none does. */
  #startOfMark(text: string): number {
    const at = text.lastIndexOf(this.#mark.charAt(0))
    if (at < 0) return text.length
    const tail = text.slice(at)
    return this.#mark.startsWith(tail) || tail.startsWith(this.#mark) ? at : text.length
  }

  #pushRaw(fd: 1 | 2, text: string): void {
    if (text === '') return
    const name = fd === 1 ? 'stdout' : 'stderr'
    this.#lanes[fd].push({ type: 'stream', cell: this.#cell, name, text })
  }

  #advance(): void {
    for (;;) {
      for (const lane of [0, 1, 2] as const) this.#emitUpToBarrier(this.#lanes[lane])
      const barrier = this.#lanes[0][0]
      if (barrier?.type !== 'barrier') return
      const awaited = ([1, 2] as const).filter((fd) => barrier.fds?.includes(fd))
      if (!awaited.every((fd) => this.#lanes[fd].length > 0)) return
      this.#lanes[0].shift()
      for (const fd of awaited) this.#lanes[fd].shift()
    }
  }

  #emitUpToBarrier(lane: Item[]): void {
    let item = lane[0]
    while (item !== undefined && item.type !== 'barrier') {
      lane.shift()
      this.#emit(item)
      item = lane[0]
    }
  }

  #emit(output: Output): void {
    if (output.type !== 'stream') {
      this.#flush()
      this.#out(output)
      return
    }
    const { name, cell, text } = output
    if (this.#gathered?.name !== name || this.#gathered.cell !== cell) this.#flush()
    this.#gathered ??= { name, cell, texts: [], length: 0 }
    this.#gathered.texts.push(text)
    this.#gathered.length += text.length
    if (this.#gathered.length >= gatherLength) this.#flush()
    else
      this.#timer ??= setTimeout(() => {
        this.#flush()
      }, gatherMs)
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#gathered === undefined) return
    const { name, cell, texts } = this.#gathered
    this.#gathered = undefined
    this.#out({ type: 'stream', cell, name, text: texts.join('') })
  }
}
