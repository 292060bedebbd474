// SPDX-License-Identifier: GPL-2.0-or-later
// Output no faster than a server passes it on, and no more of it than a notebook can hold.
import type { MimeBundle } from '../frames.ts'
import type { Output } from './streams.ts'

/**
 * A Jupyter server drops output above 1,000 messages or 1 MB of streams a second, each measured over
 * three seconds (jupyter_server, `iopub_msg_rate_limit`, `iopub_data_rate_limit`, `rate_limit_window`).
 * What is below this in any three seconds gets through.
 */
const window = { ms: 3000, messages: 2400, bytes: 2_200_000 }

/** What one cell may show; a browser stands still at more. */
const most = { characters: 10_000_000, messages: 5_000 }

/** What a stopped cell had printed and nobody has read yet: a little of it is still shown. */
const afterStop = 256 * 1024
/** Of a value that is too large by itself, this much is shown. */
const beginning = 64 * 1024
/** Cells whose counts are kept: those that still may show something from timers. */
const counted = 100

/** So much may wait before the session is told to wait as well. */
const longestQueue = { messages: 200, characters: 512 * 1024 }

type Shown = Extract<Output, { type: 'stream' | 'display' | 'result' | 'clear' | 'comm' }>

interface Sent {
  readonly at: number
  readonly bytes: number
}

/** What a cell has shown so far. */
interface Count {
  characters: number
  messages: number
  /** The note that something is left out was shown. */
  cut: boolean
  stopped: boolean
}

/** A queue between what a session shows and what is published. */
export class Pace {
  readonly #out: (output: Output) => void
  /** Tells the session to wait, or to go on. */
  readonly #hold: (wait: boolean) => void
  readonly #queue: Output[] = []
  #waiting = { messages: 0, characters: 0 }
  #held = false
  readonly #sent: Sent[] = []
  #sentBytes = 0
  #timer: NodeJS.Timeout | undefined
  readonly #counts = new Map<string, Count>()
  /** Until the end of the cell nothing waits. */
  #hurried = false

  constructor(out: (output: Output) => void, hold: (wait: boolean) => void) {
    this.#out = out
    this.#hold = hold
  }

  /** Lets it out in its turn, or leaves it out when its cell has shown too much. */
  take(output: Output): void {
    const allowed = isShown(output) ? this.#cut(output) : output
    if (allowed === undefined) return
    if (allowed.type === 'display' && allowed.update === true && this.#replaceWaiting(allowed))
      return
    this.#push(allowed)
    this.#drain()
  }

  /** `cell` was stopped, or the session is gone: what it has shown comes out now, and little more. */
  hurry(cell: string): void {
    const count = this.#countOf(cell)
    count.stopped = true
    count.characters = Math.max(count.characters, most.characters - afterStop)
    this.#hurried = true
    this.#drain()
  }

  #drain(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const ms = isShown(next) && !this.#hurried ? this.#wait(next) : 0
      if (ms > 0) {
        this.#timer = setTimeout(() => {
          this.#drain()
        }, ms)
        break
      }
      this.#queue.shift()
      this.#waiting.messages--
      this.#waiting.characters -= sizeOf(next)
      this.#send(next)
    }
    const { messages, characters } = this.#waiting
    const full = messages >= longestQueue.messages || characters >= longestQueue.characters
    if (full === this.#held) return
    this.#held = full
    this.#hold(full)
  }

  #send(output: Output): void {
    if (isShown(output)) {
      const bytes = bytesOf(output)
      this.#sent.push({ at: performance.now(), bytes })
      this.#sentBytes += bytes
    }
    if (output.type === 'end') this.#hurried = false
    this.#out(output)
  }

  /** Milliseconds until this may be sent. */
  #wait(output: Output): number {
    const now = performance.now()
    let first = this.#sent[0]
    while (first !== undefined && now - first.at > window.ms) {
      this.#sent.shift()
      this.#sentBytes -= first.bytes
      first = this.#sent[0]
    }
    if (first === undefined) return 0
    const bytes = this.#sentBytes + bytesOf(output)
    if (this.#sent.length < window.messages && bytes <= window.bytes) return 0
    return Math.max(1, Math.ceil(first.at + window.ms - now))
  }

  /** Of updates of one display that wait only the newest is of use. */
  #replaceWaiting(update: Extract<Output, { type: 'display' }>): boolean {
    const at = this.#queue.findLastIndex(
      (one) => one.type === 'display' && one.update === true && one.id === update.id,
    )
    const old = this.#queue[at]
    if (old === undefined) return false
    this.#waiting.characters += sizeOf(update) - sizeOf(old)
    this.#queue[at] = update
    return true
  }

  /** What may be shown of it: all, a beginning with a note, or nothing. Some messages add nothing. */
  #cut(output: Shown): Output | undefined {
    if (output.type === 'clear' || output.type === 'comm') return output
    if (output.type === 'display' && output.update === true) return output
    const size = sizeOf(output)
    if (output.type !== 'stream' && size > most.characters) return { ...output, ...begun(output) }
    // The value of the cell always finds its place.
    if (output.type === 'result') return output
    const count = this.#countOf(output.cell)
    if (count.cut) return undefined
    const room = most.characters - count.characters
    count.messages++
    count.characters += size
    if (size <= room && count.messages <= most.messages) return output
    count.cut = true
    if (output.type === 'stream' && room > 0 && count.messages <= most.messages) {
      this.#push({ ...output, text: output.text.slice(0, room) })
    }
    return {
      type: 'stream',
      cell: output.cell,
      name: 'stderr',
      text: count.stopped ? stopText : cutText,
    }
  }

  #countOf(cell: string): Count {
    const known = this.#counts.get(cell)
    if (known !== undefined) return known
    const count = { characters: 0, messages: 0, cut: false, stopped: false }
    this.#counts.set(cell, count)
    for (const oldest of this.#counts.keys()) {
      if (this.#counts.size <= counted) break
      this.#counts.delete(oldest)
    }
    return count
  }

  #push(output: Output): void {
    this.#queue.push(output)
    this.#waiting.messages++
    this.#waiting.characters += sizeOf(output)
  }
}

/** A single value that is larger than all that a cell may show. */
function begun({ data }: MimeBundle): MimeBundle {
  const text = data['text/plain']
  const shown = typeof text === 'string' ? text.slice(0, beginning) : ''
  const note = `... the value is cut here: it is too large for a notebook. To see all, write it to a file.`
  return { data: { 'text/plain': `${shown}\n${note}` }, metadata: {} }
}

const stopText = '\nWhat the cell printed before it stopped is left out from here.\n'

const cutText =
  `\nThe output is cut here: the cell shows more than ${most.characters / 1e6} million characters or ` +
  `${most.messages.toLocaleString('en-US')} outputs. To see all, write it to a file: ` +
  `require("node:fs").appendFileSync("output.txt", text).\n`

function isShown(output: Output): output is Shown {
  return ['stream', 'display', 'result', 'clear', 'comm'].includes(output.type)
}

function sizeOf(output: Output): number {
  if (output.type === 'stream') return output.text.length
  if (output.type !== 'display' && output.type !== 'result') return 0
  return Object.values(output.data).reduce<number>(
    (sum, content) => sum + (typeof content === 'string' ? content.length : 1000),
    0,
  )
}

/** Only streams are counted by their bytes; in JSON a line end is two. */
function bytesOf(output: Output): number {
  return output.type === 'stream' ? Buffer.byteLength(JSON.stringify(output.text)) + 600 : 0
}
