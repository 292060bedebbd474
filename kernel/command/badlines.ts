// SPDX-License-Identifier: GPL-2.0-or-later
// Lines that are no addresses, told on stderr: the first ones, and how many there were.
import { type BadLine } from '../../core/index.ts'
import { CommandError } from './verb.ts'

/** So many are told one by one. */
const MOST_TOLD = 20

/** The bad lines of one file. */
export class BadLines {
  readonly #verb: string
  readonly #file: string
  readonly #strict: boolean
  #count = 0

  /** With `strict`, the first one ends the verb. */
  constructor(verb: string, file = 'the guest', strict = false) {
    this.#verb = verb
    this.#file = file
    this.#strict = strict
  }

  tell(lines: readonly BadLine[]): void {
    for (const { where, why } of lines) {
      const text = `${this.#file}, ${where}: ${why}`
      if (this.#strict) throw new CommandError(`${text} (--strict stops here)`)
      if (this.#count++ < MOST_TOLD) process.stderr.write(`qemu-vtop ${this.#verb}: ${text}\n`)
    }
  }

  /** To be called at the end. */
  end(): void {
    if (this.#count <= MOST_TOLD) return
    const more = (this.#count - MOST_TOLD).toLocaleString('en')
    process.stderr.write(
      `qemu-vtop ${this.#verb}: ${this.#file}: ${more} more lines are no addresses; their rows are "invalid"\n`,
    )
  }
}
