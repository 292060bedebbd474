// SPDX-License-Identifier: GPL-2.0-or-later
// Which cell it is that prints: the one that runs, or the one that started a timer or promise long ago.
import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * Whether this Node keeps a cell's context without async hooks. With hooks (Node 20, and 22 without
 * the flag) it aborts when a cell is stopped in a callback; the front gives the flag where Node has it.
 */
function contextIsSafe(): boolean {
  const given = `${process.execArgv.join(' ')} ${process.env['NODE_OPTIONS'] ?? ''}`
  if (/--no-(experimental-)?async-context-frame/.test(given)) return false
  const [major = 0] = process.versions.node.split('.').map(Number)
  return major >= 24 || /--experimental-async-context-frame/.test(given)
}

/** Follows cells through their timers and promises, where that is safe. */
export class Origin {
  readonly #storage = contextIsSafe() ? new AsyncLocalStorage<string>() : undefined
  readonly #latest: () => string

  /** `latest` is the cell that runs, or ran last: the answer where nothing better is known. */
  constructor(latest: () => string) {
    this.#latest = latest
  }

  /** The cell on whose behalf code runs now. */
  get cell(): string {
    return this.#storage?.getStore() ?? this.#latest()
  }

  /** Whether `cell` is known, and not only the latest one. */
  get isKnown(): boolean {
    return this.#storage?.getStore() !== undefined
  }

  /** Calls `work`: it, and all that it starts, is `cell`'s. */
  run<Result>(cell: string, work: () => Result): Result {
    return this.#storage === undefined ? work() : this.#storage.run(cell, work)
  }
}
