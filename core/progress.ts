// SPDX-License-Identifier: GPL-2.0-or-later
// Tells whoever wants to show it how far work of the library is. Nobody listening costs nothing.

/** Work that may take a while. */
export interface Work {
  /** What is done: `counting web-1`. */
  readonly label: string
  /** What is counted: `pages`. */
  readonly unit: string
  /** How many there are in all, where that is known. */
  readonly total?: number
}

/** Shows one piece of work. None of these may throw. */
export interface WorkDisplay {
  /** So many more are done. Called often: some thousand times a second. */
  advance(count: number): void
  /** All is done. */
  finish(): void
  /** It ends before all is done. Not called when the process is stopped in the middle. */
  stop(): void
}

const listeners = new Set<(work: Work) => WorkDisplay>()

/** Calls `listener` whenever the library begins work that may take a while. Gives a function that ends it. */
export function onProgress(listener: (work: Work) => WorkDisplay): () => void {
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
  }
}

/**
 * Does some work and tells how far it is: `run` gets a function to call with how many more are done. It is to be called
 * for thousands at a time, not for each, since a step of real work is often some nanoseconds.
 */
export function withProgress<Result>(
  work: Work,
  run: (advance: (count: number) => void) => Result,
): Result {
  const displays = Array.from(listeners, (listener) => listener(work))
  let finished = false
  try {
    const result = run((count) => {
      for (const display of displays) display.advance(count)
    })
    finished = true
    return result
  } finally {
    for (const display of displays) {
      if (finished) display.finish()
      else display.stop()
    }
  }
}
