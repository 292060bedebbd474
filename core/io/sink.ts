// SPDX-License-Identifier: GPL-2.0-or-later
// Files that are written whole or not at all: under another name first, which is taken away when anything fails.

import { randomUUID } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, readdirSync, realpathSync } from 'node:fs'
import { renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DumpError, UsageError } from '../errors.ts'

/** Milliseconds without a byte after which nobody writes a file any more: its process was killed. */
const ABANDONED_MS = 3_600_000

/** Where the bytes of a file go, one after the other. */
export interface Sink {
  /** Resolves when the bytes are taken; they must not change before. */
  write(bytes: Uint8Array): Promise<void>
}

/** A file that is being written. One of `finish` and `abandon` must be called at the end. */
export interface FileSink extends Sink {
  /** How many bytes were written. */
  readonly bytes: number
  /** Gives the file its name. */
  finish(): void
  /** Leaves nothing behind. */
  abandon(): void
}

/**
 * Begins a file. Throws UsageError when it is there and may not be replaced, and DumpError when it cannot be written.
 * A device or a pipe has no other name, so what is written there is there at once.
 */
export function openSink(path: string, { overwrite = false } = {}): FileSink {
  const isThere = existsSync(path)
  const isFile = !isThere || statSync(path).isFile()
  if (isThere && isFile && !overwrite) {
    throw new UsageError(
      `'${path}' is there already; name a new file, or say that it may be replaced`,
    )
  }
  // What a link leads to is replaced, not the link.
  const target = isThere && isFile ? realpathSync(path) : path
  if (isFile) removeAbandoned(target)
  // Spark and pyarrow read all files of a folder but those whose names begin with a dot.
  const hidden = join(dirname(target), `.${basename(target)}.${randomUUID()}.part`)
  const name = isFile ? hidden : path
  const descriptor = tried(path, () => openSync(name, isFile ? 'wx' : 'w'))
  let bytes = 0
  let isOpen = true
  const close = (): void => {
    if (isOpen) closeSync(descriptor)
    isOpen = false
  }
  const abandon = (): void => {
    close()
    if (isFile) rmSync(name, { force: true })
  }
  return {
    get bytes() {
      return bytes
    },
    write(piece) {
      tried(path, () => {
        writeWhole(descriptor, piece)
      })
      bytes += piece.length
      return Promise.resolve()
    },
    finish() {
      try {
        tried(path, () => {
          if (!isFile) return
          fsyncSync(descriptor)
          renameSync(name, target)
        })
        close()
      } catch (error) {
        abandon()
        throw error
      }
    },
    abandon,
  }
}

/** Removes what processes that were killed have left of a file. */
function removeAbandoned(target: string): void {
  const folder = dirname(target)
  const before = `.${basename(target)}.`
  try {
    for (const name of readdirSync(folder)) {
      if (!name.startsWith(before) || !/^[\da-f-]{36}\.part$/.test(name.slice(before.length)))
        continue
      const path = join(folder, name)
      if (Date.now() - statSync(path).mtimeMs > ABANDONED_MS) rmSync(path)
    }
  } catch {
    // Another process may be quicker. Whether the folder can be written, opening the file tells.
  }
}

/** All bytes of a piece, behind what was written before. */
export function writeWhole(descriptor: number, piece: Uint8Array): void {
  for (let done = 0; done < piece.length;) {
    done += writeSync(descriptor, piece, done, piece.length - done)
  }
}

function tried<T>(path: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new DumpError('write', `cannot write '${path}': ${reason}`, { cause: error })
  }
}
