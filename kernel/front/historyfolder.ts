// SPDX-License-Identifier: GPL-2.0-or-later
// The cells of all sessions on disk: a folder of the user's own with one file of JSON lines a session.
//
// A session's number is the name of its file, made with O_EXCL: two kernels that start together
// never share one, and none of them ever writes into the file of another.
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { isJsonObject } from '../protocol/messages.ts'

/** A cell as it was run. */
export interface HistoryEntry {
  readonly session: number
  /** Its number in the session, from 1. */
  readonly line: number
  readonly input: string
  /** The text of its result, or null. */
  output: string | null
}

/** The oldest sessions are deleted beyond either of these. */
export const longestHistory = { sessions: 1000, bytes: 16 * 1024 * 1024 }
/** A longer input or output is kept in memory, but not on disk. */
const longestText = 64 * 1024

/** Where history is kept: beside what other programs keep for this user, never beside a notebook. */
export function historyPath(
  env: Readonly<Record<string, string | undefined>> = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  return join(dataFolder(env, platform), 'qemu-vtop', 'history')
}

function dataFolder(
  env: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform,
): string {
  // The XDG base directory specification: a relative path is to be ignored.
  const xdg = env['XDG_DATA_HOME']
  if (xdg !== undefined && isAbsolute(xdg)) return xdg
  const home = env['HOME'] ?? homedir()
  if (platform === 'darwin') return join(home, 'Library', 'Application Support')
  if (platform === 'win32') return env['APPDATA'] ?? join(home, 'AppData', 'Roaming')
  return join(home, '.local', 'share')
}

/** The folder of one kernel. Every method throws what the file system throws. */
export class HistoryFolder {
  readonly #path: string
  #own: { readonly number: number; readonly fd: number } | undefined

  constructor(path: string) {
    this.#path = path
  }

  /** Opens this session's file when there is something to write, and returns its number. */
  begin(): number {
    if (this.#own !== undefined) return this.#own.number
    mkdirSync(this.#path, { recursive: true, mode: 0o700 })
    const numbers = this.#numbers()
    this.#prune(numbers)
    for (let number = (numbers.at(-1) ?? 0) + 1; ; number++) {
      try {
        this.#own = { number, fd: openSync(this.#file(number), 'ax', 0o600) }
        return number
      } catch (error) {
        // Another kernel was faster.
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
      }
    }
  }

  /** Adds what is new about a cell: its input, or later its output. */
  append(record: { line: number; input: string } | { line: number; output: string }): void {
    const text = 'input' in record ? record.input : record.output
    if (this.#own === undefined || text.length > longestText) return
    // One write: a kernel that is killed leaves whole lines.
    writeSync(this.#own.fd, `${JSON.stringify(record)}\n`)
  }

  /** The numbers of the sessions before this one, oldest first. */
  earlier(): number[] {
    const own = this.#own?.number
    return this.#numbers().filter((number) => number !== own)
  }

  /** The cells of one session, in the order in which they ran; a damaged line only costs itself. */
  read(session: number): HistoryEntry[] {
    let text: string
    try {
      text = readFileSync(this.#file(session), 'utf8')
    } catch {
      // Deleted meanwhile, or not ours to read.
      return []
    }
    const entries = new Map<number, HistoryEntry>()
    for (const line of text.split('\n')) addRecord(entries, session, line)
    return [...entries.values()]
  }

  close(): void {
    if (this.#own !== undefined) closeSync(this.#own.fd)
    this.#own = undefined
  }

  #file(session: number): string {
    return join(this.#path, `${session}.jsonl`)
  }

  #numbers(): number[] {
    let names: string[]
    try {
      names = readdirSync(this.#path)
    } catch {
      return []
    }
    return names
      .flatMap((name) => /^([1-9]\d{0,8})\.jsonl$/.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b)
  }

  #prune(numbers: readonly number[]): void {
    let bytes = 0
    let kept = 0
    for (const number of numbers.toReversed()) {
      bytes += statSync(this.#file(number), { throwIfNoEntry: false })?.size ?? 0
      kept++
      // A session that still runs keeps its file open and loses nothing but its place here.
      if (kept >= longestHistory.sessions || bytes > longestHistory.bytes) {
        rmSync(this.#file(number), { force: true })
      }
    }
  }
}

function addRecord(entries: Map<number, HistoryEntry>, session: number, text: string): void {
  let record: unknown
  try {
    record = JSON.parse(text)
  } catch {
    return
  }
  if (!isJsonObject(record)) return
  const { line, input, output } = record
  if (typeof line !== 'number') return
  if (typeof input === 'string') entries.set(line, { session, line, input, output: null })
  const entry = entries.get(line)
  if (entry !== undefined && typeof output === 'string') entry.output = output
}
