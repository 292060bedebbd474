// SPDX-License-Identifier: GPL-2.0-or-later
// The cells that were run, of this session and of earlier ones, for the arrow keys and the search of clients.
import type { JsonObject } from '../protocol/messages.ts'
import { log } from './channels.ts'
import { type HistoryEntry, HistoryFolder } from './historyfolder.ts'

type Row = [session: number, line: number, input: string | [string, string | null]]

/** Inputs by their number, and the text of what they showed. */
export class History {
  readonly #entries: HistoryEntry[] = []
  /** Absent where it cannot be written: history is then this session's only. */
  #folder: HistoryFolder | undefined

  /** `path` is the folder of the sessions' files; without it nothing is read or written. */
  constructor(path?: string) {
    this.#folder = path === undefined ? undefined : new HistoryFolder(path)
  }

  /** Remembers the input of the cell with this number. */
  add(line: number, input: string): void {
    const session = this.#onDisk((folder) => folder.begin()) ?? this.#entries[0]?.session ?? 1
    this.#entries.push({ session, line, input, output: null })
    this.#onDisk((folder) => {
      folder.append({ line, input })
    })
  }

  /** The text of the result of the cell with this number. */
  setOutput(line: number, output: string): void {
    const entry = this.#entries.findLast((one) => one.line === line)
    if (entry === undefined) return
    entry.output = output
    this.#onDisk((folder) => {
      folder.append({ line, output })
    })
  }

  /** The rows that a history_request asks for, oldest first. Unknown kinds of access give none. */
  answer(request: JsonObject): Row[] {
    const n = typeof request['n'] === 'number' ? Math.max(0, request['n']) : Infinity
    switch (request['hist_access_type']) {
      case 'tail':
        return rowsOf(
          this.#last(n, () => true),
          request,
        )
      case 'range':
        return rowsOf(this.#range(request), request)
      case 'search':
        return rowsOf(this.#search(request, n), request)
      default:
        return []
    }
  }

  /** The last `n` cells that fit, of all sessions; older files are opened only when they are needed. */
  #last(n: number, fits: (entry: HistoryEntry) => boolean): HistoryEntry[] {
    const found = this.#entries.filter(fits)
    for (const session of this.#earlier().reverse()) {
      if (found.length >= n) break
      found.unshift(...this.#read(session).filter(fits))
    }
    return found.slice(Math.max(0, found.length - n))
  }

  /** 0 is this session; below it they are counted back from it. */
  #range({ session, start, stop }: JsonObject): HistoryEntry[] {
    const asked = typeof session === 'number' ? session : 0
    const own = this.#entries[0]?.session
    const number = asked < 0 ? this.#earlier().at(asked) : asked
    const entries =
      number === undefined
        ? []
        : number === 0 || number === own
          ? this.#entries
          : this.#read(number)
    const from = typeof start === 'number' ? start : 0
    const to = typeof stop === 'number' ? stop : Infinity
    return entries.filter(({ line }) => line >= from && line < to)
  }

  #search({ pattern, unique }: JsonObject, n: number): HistoryEntry[] {
    const glob = typeof pattern === 'string' && pattern !== '' ? pattern : '*'
    const fits = ({ input }: HistoryEntry): boolean => fitsGlob(glob, input)
    if (unique !== true) return this.#last(n, fits)
    // Of inputs that are the same the newest stays.
    const newest = new Map<string, HistoryEntry>()
    for (const entry of this.#last(Infinity, fits)) {
      newest.delete(entry.input)
      newest.set(entry.input, entry)
    }
    const found = [...newest.values()]
    return found.slice(Math.max(0, found.length - n))
  }

  #earlier(): number[] {
    return this.#onDisk((folder) => folder.earlier()) ?? []
  }

  #read(session: number): HistoryEntry[] {
    return this.#onDisk((folder) => folder.read(session)) ?? []
  }

  /** A full or forbidden disk must not keep a cell from running: it is told once and then left alone. */
  #onDisk<Result>(use: (folder: HistoryFolder) => Result): Result | undefined {
    if (this.#folder === undefined) return undefined
    try {
      return use(this.#folder)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      log(`history is kept for this session only: ${reason}`)
      this.#folder = undefined
      return undefined
    }
  }
}

function rowsOf(entries: readonly HistoryEntry[], { output }: JsonObject): Row[] {
  return entries.map(({ session, line, input, output: shown }) => [
    session,
    line,
    output === true ? [input, shown] : input,
  ])
}

/**
 * Whether all of `text` fits a pattern with `*` and `?`, as IPython's history search takes it. No
 * regular expression: with several stars one may take for ever.
 */
function fitsGlob(pattern: string, text: string): boolean {
  let at = 0
  let p = 0
  // Behind the last star that was met, and where the text was then: on a mismatch it takes one more.
  let afterStar = -1
  let retry = 0
  while (at < text.length) {
    const sign = pattern.charAt(p)
    if (sign === '*') {
      afterStar = ++p
      retry = at
    } else if (p < pattern.length && (sign === '?' || sign === text.charAt(at))) {
      p++
      at++
    } else if (afterStar >= 0) {
      p = afterStar
      at = ++retry
    } else return false
  }
  return /^\**$/.test(pattern.slice(p))
}
