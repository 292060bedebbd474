// SPDX-License-Identifier: GPL-2.0-or-later
// Bars of work that takes a while: shown after a moment, updated seldom, and replaced by one line at the end.
import type { ProgressState } from '../display/progress.ts'
import type { MimeBundle } from '../frames.ts'
import { Interrupted } from './interrupted.ts'

/** How work is named and counted. */
export interface ProgressOptions {
  /** How many there will be; of arrays, sets and maps it is known. */
  readonly total?: number
  /** What is done, such as `"reading"`. */
  readonly label?: string
  /** What is counted, such as `"pages"`. */
  readonly unit?: string
}

/** Work that is shorter shows nothing. */
const firstMs = 300
/** A client draws every update: ten a second cost it nothing, hundreds let it stand still. */
const betweenMs = 100

/** What bars need from the rest of the session. */
export interface BarSurroundings {
  /** The cell that runs. */
  readonly cell: () => string
  /** A new place below the cell; each call replaces what is there. */
  readonly place: () => (bundles: readonly MimeBundle[]) => void
  /** Draws a bar; undefined when that cannot be done yet. */
  readonly draw: (state: ProgressState) => MimeBundle | undefined
  /** Milliseconds that only grow. */
  readonly now: () => number
  /** Whether the user has asked for a stop that is not answered yet. */
  readonly isInterrupted: () => boolean
}

/** The bars of all cells. */
export class Bars {
  readonly #around: BarSurroundings
  readonly #running = new Set<Bar>()

  constructor(around: BarSurroundings) {
    this.#around = around
  }

  /** Begins a bar for the cell that runs. */
  start(options: ProgressOptions): Bar {
    const bar = new Bar(this.#around, options, () => this.#running.delete(bar))
    this.#running.add(bar)
    return bar
  }

  /** The cell failed or was stopped, perhaps where no `finally` ran: so did its work. */
  stop(cell: string): void {
    for (const bar of this.#running) if (bar.cell === cell) bar.stop()
  }
}

/** One bar. */
export class Bar {
  readonly cell: string
  readonly #around: BarSurroundings
  readonly #options: ProgressOptions
  readonly #ended: () => void
  readonly #started: number
  #next: number
  #done = 0
  #place: ((bundles: readonly MimeBundle[]) => void) | undefined
  #over = false

  constructor(around: BarSurroundings, options: ProgressOptions, ended: () => void) {
    this.cell = around.cell()
    this.#around = around
    this.#options = options
    this.#ended = ended
    this.#started = around.now()
    this.#next = this.#started + firstMs
  }

  /**
   * So many more are done. Ends the work when the user has asked for a stop: an error between two steps, which every
   * `finally` sees. To be terminated can happen anywhere, and Node 20 aborts the process when it happens while
   * node:zlib makes an inflater (`close before init` in node_zlib.cc).
   */
  advance(count: number): void {
    this.#done += count
    if (this.#around.isInterrupted()) throw new Interrupted()
    const now = this.#around.now()
    if (now < this.#next || this.#over) return
    this.#next = now + betweenMs
    this.#show('running', now)
  }

  /** All is done. */
  finish(): void {
    this.#end('done')
  }

  /** It ends before all is done. */
  stop(): void {
    this.#end('stopped')
  }

  #end(state: 'done' | 'stopped'): void {
    if (this.#over) return
    this.#over = true
    this.#ended()
    const now = this.#around.now()
    if (this.#place !== undefined || now - this.#started >= firstMs) this.#show(state, now)
  }

  #show(state: 'running' | 'done' | 'stopped', now: number): void {
    const { label = '', unit = '', total } = this.#options
    const seconds = (now - this.#started) / 1000
    const known = total === undefined || !Number.isFinite(total) ? null : total
    const shown = { label, unit, done: this.#done, total: known, state, seconds }
    const bundle = this.#around.draw(shown)
    if (bundle === undefined) return
    this.#place ??= this.#around.place()
    this.#place([bundle])
  }
}

/** The items, and a bar beside them. */
export function* withBar<Item>(
  bars: Bars,
  items: Iterable<Item>,
  options: ProgressOptions,
): Generator<Item, void> {
  const bar = bars.start({ ...sizeOf(items), ...options })
  try {
    for (const item of items) {
      yield item
      bar.advance(1)
    }
    bar.finish()
  } finally {
    // Left early by `break` or an error; after the end this does nothing.
    bar.stop()
  }
}

/** The same for items that come one by one. */
export async function* withBarAsync<Item>(
  bars: Bars,
  items: AsyncIterable<Item>,
  options: ProgressOptions,
): AsyncGenerator<Item, void> {
  const bar = bars.start(options)
  try {
    for await (const item of items) {
      yield item
      bar.advance(1)
    }
    bar.finish()
  } finally {
    bar.stop()
  }
}

function sizeOf(items: object): { total?: number } {
  const size: unknown = 'length' in items ? items.length : 'size' in items ? items.size : undefined
  return typeof size === 'number' ? { total: size } : {}
}
