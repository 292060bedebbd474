// SPDX-License-Identifier: GPL-2.0-or-later
// The cells that were run, for the arrow keys and the search of clients. In memory, for this session.
import type { JsonObject } from '../protocol/messages.ts'

interface Entry {
  readonly line: number
  readonly input: string
  output: string | null
}

type Row = [session: number, line: number, input: string | [string, string | null]]

/** In the messages 0 is the session that runs; rows then tell it by its number. */
const sessionNumber = 1

/** Inputs by their number, and the text of what they showed. */
export class History {
  readonly #entries: Entry[] = []

  add(line: number, input: string): void {
    this.#entries.push({ line, input, output: null })
  }

  /** The text of the result of the cell with this number. */
  setOutput(line: number, output: string): void {
    const entry = this.#entries.findLast((one) => one.line === line)
    if (entry !== undefined) entry.output = output
  }

  /** The rows that a history_request asks for, oldest first. Unknown kinds of access give none. */
  answer(request: JsonObject): Row[] {
    const n = typeof request['n'] === 'number' ? Math.max(0, request['n']) : undefined
    switch (request['hist_access_type']) {
      case 'tail':
        return this.#rows(lastOf(this.#entries, n), request)
      case 'range':
        return this.#rows(this.#range(request), request)
      case 'search':
        return this.#rows(lastOf(this.#search(request), n), request)
      default:
        return []
    }
  }

  #range({ session, start, stop }: JsonObject): Entry[] {
    if (session !== 0 && session !== sessionNumber) return []
    const from = typeof start === 'number' ? start : 0
    const to = typeof stop === 'number' ? stop : Infinity
    return this.#entries.filter(({ line }) => line >= from && line < to)
  }

  #search({ pattern, unique }: JsonObject): Entry[] {
    const fits = globOf(typeof pattern === 'string' && pattern !== '' ? pattern : '*')
    const found = this.#entries.filter(({ input }) => fits.test(input))
    if (unique !== true) return found
    return found.filter(
      (entry, index) => found.findLastIndex(({ input }) => input === entry.input) === index,
    )
  }

  #rows(entries: readonly Entry[], { output }: JsonObject): Row[] {
    return entries.map((entry) => [
      sessionNumber,
      entry.line,
      output === true ? [entry.input, entry.output] : entry.input,
    ])
  }
}

function lastOf<Item>(items: readonly Item[], n: number | undefined): readonly Item[] {
  return n === undefined ? items : items.slice(Math.max(0, items.length - n))
}

/** A pattern with `*` and `?`, as IPython's history search takes it. */
function globOf(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '[^]*')
    .replaceAll('?', '[^]')
  return new RegExp(`^${source}$`)
}
