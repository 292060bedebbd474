// SPDX-License-Identifier: GPL-2.0-or-later
// Progress heard by a test while it runs something.
import { onProgress, type Work } from '../../core/progress.ts'

/** Runs something; `heard` is called for each piece of work with 0 when it begins, then with each step. */
export function whileListening<Result>(
  heard: (count: number, work: Work) => void,
  run: () => Result,
): Result {
  const end = onProgress((work) => {
    heard(0, work)
    const nothing = (): void => undefined
    return {
      advance: (count) => {
        heard(count, work)
      },
      finish: nothing,
      stop: nothing,
    }
  })
  try {
    return run()
  } finally {
    end()
  }
}
