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

/** Shows one piece of work. What `advance` throws ends the work. */
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
 * Begins a piece of work: what it gives is to be told of each step and of the end. For work that waits on the way; all
 * other work is done inside of `withProgress`.
 */
export function begin(work: Work): WorkDisplay {
  const displays = Array.from(listeners, (listener) => listener(work))
  const each = (tell: (display: WorkDisplay) => void): void => {
    for (const display of displays) tell(display)
  }
  return {
    advance: (count) => {
      each((display) => {
        display.advance(count)
      })
    },
    finish: () => {
      each((display) => {
        display.finish()
      })
    },
    stop: () => {
      each((display) => {
        display.stop()
      })
    },
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
  const display = begin(work)
  let finished = false
  try {
    const result = run((count) => {
      display.advance(count)
    })
    finished = true
    return result
  } finally {
    if (finished) display.finish()
    else display.stop()
  }
}

/** Numbers between two words of progress: some hundredths of a second where each is a page to unpack. */
const COUNTED_STEP = 1024

/**
 * The numbers from 0 to below `total`, for a search that ends where it finds something: progress is told on the way.
 * A search that is left early has come to its end, too.
 */
export function* counted(work: Work & { readonly total: number }): Generator<number, void> {
  const display = begin(work)
  try {
    for (let number = 0; number < work.total; number++) {
      if (number % COUNTED_STEP === 0 && number > 0) display.advance(COUNTED_STEP)
      yield number
    }
  } finally {
    display.finish()
  }
}
