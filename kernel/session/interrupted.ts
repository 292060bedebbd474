// SPDX-License-Identifier: GPL-2.0-or-later
// What a stopped cell throws, and waiting that can be stopped.

/** The error of a cell that the user stopped. */
export class Interrupted extends Error {
  override name = 'Interrupted'

  constructor() {
    super('the cell was stopped; its variables keep the values they had')
  }
}

/** The Interrupted that is behind an error, which may be told as the cause of another. */
export function interruptBehind(error: unknown): Interrupted | undefined {
  let at = error
  // A chain of causes can be a circle.
  for (let i = 0; i < 10 && at instanceof Error; i++) {
    if (at instanceof Interrupted) return at
    at = at.cause
  }
  return undefined
}

/** The waits of one cell: when it is stopped, all of them end with an Interrupted. */
export class Waits {
  readonly #pending = new Set<(error: Interrupted) => void>()
  #stopped = false

  /** Ends every wait of now and of later. */
  stop(): void {
    this.#stopped = true
    const pending = [...this.#pending]
    this.#pending.clear()
    for (const reject of pending) reject(new Interrupted())
  }

  /** The value as `await` would give it, or an Interrupted once the cell is stopped. */
  until(value: unknown): unknown {
    if (this.#stopped) throw new Interrupted()
    if (!isThenable(value)) return value
    let giveUp: (error: Interrupted) => void = () => undefined
    // One for each wait: reactions to a promise that lives as long as the cell would pile up.
    const stopped = new Promise<never>((_resolve, reject) => {
      giveUp = reject
      this.#pending.add(reject)
    })
    return Promise.race([value, stopped]).finally(() => {
      this.#pending.delete(giveUp)
    })
  }

  /** The items as `for await` takes them, until the cell is stopped. */
  async *each(items: AsyncIterable<unknown> | Iterable<unknown>): AsyncGenerator {
    const iterator: AsyncIterator<unknown> | Iterator<unknown> =
      Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
    let finished = false
    try {
      for (;;) {
        const next = (await this.until(iterator.next())) as IteratorResult<unknown, unknown>
        finished = next.done === true
        if (finished) return
        yield await this.until(next.value)
      }
    } finally {
      if (!finished && !this.#stopped) await iterator.return?.()
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    (typeof value === 'object' || typeof value === 'function') &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  )
}
