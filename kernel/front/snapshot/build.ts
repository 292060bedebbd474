// SPDX-License-Identifier: GPL-2.0-or-later
// Makes the compiler's startup snapshot in the background, for the kernels that are started after this one.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { log } from '../channels.ts'
import {
  crcOf,
  findSnapshot,
  isPrivate,
  namesIn,
  snapshotFolder,
  snapshotKey,
  snapshotName,
  wantsSnapshot,
} from './find.ts'
import { compilerEnv, compilerFlags } from './flags.ts'

const script = fileURLToPath(new URL('../../compiler/snapshot/build.cjs', import.meta.url))

/** After the first cell: whoever runs one may run the next one at once. */
const patienceMs = 1000

/** Of those for other lines of Node or other checkouts so many stay, 45 MB each: else two of them would take turns. */
const othersKept = 2

/** A snapshot takes some seconds to make. One that is not done after this never will be. */
const longestMs = 10 * 60_000

/** `compiler-PID.tmp`, with the id of the kernel that makes it. */
const unfinishedForm = /^compiler-(\d+)\.tmp$/

/** The making of one snapshot. Whatever goes wrong is told in the log, and costs nothing else. */
export class SnapshotBuild {
  readonly #folder = snapshotFolder()
  readonly #unfinished = join(this.#folder, `compiler-${process.pid}.tmp`)
  readonly #started: (pid: number) => void
  #timer: NodeJS.Timeout | undefined
  #child: ChildProcess | undefined

  /** `started` is told the process that makes it, and 0 when that one has ended. */
  constructor(started: (pid: number) => void) {
    this.#started = started
  }

  /** The process that makes it, or 0. */
  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Begins when the machine has had a moment for what is more urgent. A second call does nothing. */
  soon(): void {
    if (!wantsSnapshot()) return
    this.#timer ??= setTimeout(() => {
      try {
        this.#begin()
      } catch (error) {
        this.#fail(error instanceof Error ? error.message : String(error))
      }
    }, patienceMs).unref()
  }

  /** Ends it, done or not, and leaves nothing half-done behind. */
  end(): void {
    clearTimeout(this.#timer)
    this.#child?.kill('SIGKILL')
    if (this.#child !== undefined) this.#removeUnfinished()
    this.#child = undefined
  }

  #begin(): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
    if (!isPrivate(this.#folder)) throw new Error('others can write there')
    // Another kernel may have made it since this one started, or be at it.
    if (findSnapshot() !== undefined || this.#isBeingMade()) return
    // Node keeps the rights of a file that is there.
    writeFileSync(this.#unfinished, '', { flag: 'wx', mode: 0o600 })
    const key = snapshotKey()
    const flags = [...compilerFlags, '--no-warnings', '--snapshot-blob', this.#unfinished]
    const child = spawn(
      process.execPath,
      [...flags, '--build-snapshot', script, String(process.pid)],
      {
        // Not the notebook's folder: nothing of it is to get into the snapshot.
        cwd: this.#folder,
        env: { ...process.env, ...compilerEnv },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    )
    this.#child = child
    this.#started(this.pid)
    if (child.pid !== undefined) {
      setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL)
    }
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(0, 500)
    })
    child.on('error', (error) => {
      this.#fail(error.message)
    })
    child.on('close', (code, signal) => {
      if (this.#child !== child) return
      this.#child = undefined
      this.#started(0)
      try {
        if (code === 0) this.#publish(key)
        else this.#fail(`it was ended by ${signal ?? `code ${code ?? 0}`}: ${said.trim()}`)
      } catch (error) {
        this.#fail(error instanceof Error ? error.message : String(error))
      }
    })
  }

  /** Whether a kernel that lives makes one. What kernels that are gone have left is removed. */
  #isBeingMade(): boolean {
    let alive = false
    for (const name of readdirSync(this.#folder)) {
      const pid = Number(unfinishedForm.exec(name)?.[1] ?? NaN)
      if (Number.isNaN(pid)) continue
      const path = join(this.#folder, name)
      const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0)
      if (age < longestMs && isRunning(pid)) alive = true
      else rmSync(path, { force: true })
    }
    return alive
  }

  /** In one step: a kernel that starts now sees all of it or nothing. Then those that are too many go. */
  #publish(key: string): void {
    const name = snapshotName(key, crcOf(this.#unfinished))
    renameSync(this.#unfinished, join(this.#folder, name))
    const others = namesIn(this.#folder)
      .filter((other) => other !== name)
      .map((other) => join(this.#folder, other))
    const age = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
    others.sort((a, b) => age(b) - age(a))
    for (const path of others.slice(othersKept)) rmSync(path, { force: true })
  }

  #fail(reason: string): void {
    log(`no snapshot of the compiler was made in ${this.#folder}: ${reason}; kernels start without`)
    this.#removeUnfinished()
  }

  #removeUnfinished(): void {
    try {
      rmSync(this.#unfinished, { force: true })
    } catch {
      // The folder cannot be made or changed: then there is none.
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
