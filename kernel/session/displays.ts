// SPDX-License-Identifier: GPL-2.0-or-later
// What cells show beside their value, and how it is changed or taken away later.
import { randomBytes } from 'node:crypto'
import type { FromSession, MimeBundle } from '../frames.ts'
import type { BundlesOf } from './show.ts'

/** Values that were shown. `await` it to go on when they are there. */
export interface DisplayHandle extends PromiseLike<void> {
  /** Shows other values in the place of those before. */
  readonly update: (...values: readonly unknown[]) => DisplayHandle
}

/** What displays need from the rest of the session. */
export interface DisplaySurroundings {
  readonly send: (message: FromSession) => void
  readonly barrier: () => void
  readonly bundlesOf: BundlesOf
  /** The cell that runs. */
  readonly cell: () => string
}

/** The displays of all cells. */
export class Displays {
  readonly #around: DisplaySurroundings
  /** Never the same in two sessions: a client changes every output that has the id. */
  readonly #prefix = `display-${randomBytes(6).toString('hex')}`
  #count = 0
  /** The last display that is still being drawn: what comes after it waits, so that all stand in order. */
  #last: Promise<void> | undefined

  constructor(around: DisplaySurroundings) {
    this.#around = around
  }

  /** Resolved when what was given so far is shown; undefined when it already is. */
  get shown(): Promise<void> | undefined {
    return this.#last
  }

  /** Shows values below the cell that runs. */
  show(values: readonly unknown[]): DisplayHandle {
    const place = this.place()
    let shown = this.#put(place, values)
    const handle: DisplayHandle = {
      then: (...reactions) => Promise.resolve(shown).then(...reactions),
      update: (...others) => {
        shown =
          shown === undefined
            ? this.#put(place, others)
            : shown.then(() => this.#put(place, others))
        return handle
      },
    }
    // As the last expression of a cell it adds nothing to what it has shown.
    Object.defineProperty(handle, Symbol.for('Jupyter.display'), { value: () => ({}) })
    return handle
  }

  /** Where bundles are shown that the caller has made itself; each call replaces those of the one before. */
  place(): (bundles: readonly MimeBundle[]) => void {
    const ids: string[] = []
    return (bundles) => {
      const cell = this.#around.cell()
      for (const [i, bundle] of bundles.entries()) {
        const known = ids[i]
        const id = known ?? `${this.#prefix}-${++this.#count}`
        ids[i] = id
        this.#around.send({
          type: 'display',
          cell,
          id,
          ...(known === undefined ? {} : { update: true }),
          data: bundle.data,
          metadata: bundle.metadata,
        })
      }
      // A display cannot be removed, only emptied.
      for (const id of ids.slice(bundles.length)) {
        const data = { 'text/plain': '' }
        this.#around.send({ type: 'display', cell, id, update: true, data, metadata: {} })
      }
    }
  }

  /** Takes away what the cell has shown. */
  clear(wait: boolean): void {
    // What its children wrote before is to go, too.
    this.#around.barrier()
    this.#around.send({ type: 'clear', cell: this.#around.cell(), wait })
  }

  /** Shows at once where it can; the promise is for values that take time to draw. */
  #put(
    place: (bundles: readonly MimeBundle[]) => void,
    values: readonly unknown[],
  ): Promise<void> | undefined {
    const bundles = values.map((value) => this.#around.bundlesOf(value))
    const made = bundles.flatMap((one) => (one instanceof Promise ? [] : one))
    const before = this.#last
    if (before === undefined && !bundles.some((one) => one instanceof Promise)) {
      place(made)
      return undefined
    }
    const shown = Promise.all([before, ...bundles.map((one) => Promise.resolve(one))]).then(
      ([, ...all]) => {
        place(all.flat())
      },
    )
    // Whoever called hears of an error; the next value is shown all the same.
    const last = shown.then(
      () => undefined,
      () => undefined,
    )
    this.#last = last
    void last.then(() => {
      if (this.#last === last) this.#last = undefined
    })
    return shown
  }
}
