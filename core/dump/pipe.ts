// SPDX-License-Identifier: GPL-2.0-or-later
// Dumps that come out of a pipe: kept in a temporary file, since pages are read in any order.

import { closeSync, fstatSync, ftruncateSync, mkdtempSync, openSync, readSync } from 'node:fs'
import { rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DumpError } from '../errors.ts'
import { withProgress } from '../progress.ts'
import { codeOf, descriptorAsFile, type FileBytes, openDescriptor, reasonOf } from './file.ts'
import { checkFlatHeader, FLAT_HEADER_BYTES, FLAT_RECORD_BYTES, isFlat } from './flat/flat.ts'
import { flatInFlat, readRecord } from './flat/flat.ts'

const STDIN = '/dev/stdin'
const PIECE_BYTES = 1 << 20
/** How long a named pipe that nobody has opened for writing is waited at, and how often it is looked at. */
const WRITER_MS = 10_000
const WAIT_MS = 10

/** Whether a path is a pipe: a named one, `<(command)` of a shell, or stdin that is one. */
export function isPipe(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat !== undefined && (stat.isFIFO() || (path === STDIN && stat.isSocket()))
}

/**
 * Takes everything that comes out of a pipe into a file in the folder for temporary ones, which only this user can read
 * and which is gone when it is closed or the process ends. A flattened stream is written to its places at once.
 * Throws DumpError when nothing comes, or when the folder has too little room.
 */
export function openPipe(path: string): FileBytes {
  const work = { label: 'reading the pipe', unit: 'bytes' }
  return withProgress(work, (advance) => takeAll(path, advance))
}

function takeAll(path: string, advance: (bytes: number) => void): FileBytes {
  const pipe = new Pipe(path, advance)
  try {
    const head = pipe.take(FLAT_HEADER_BYTES)
    const file = temporary(path)
    try {
      const write = (bytes: Uint8Array, at: number) => {
        writeAll(file, bytes, at, path)
      }
      const remarks = isFlat(head)
        ? unpack(path, head, pipe, write, (size) => {
            ftruncateSync(file, size)
          })
        : copy(head, pipe, write)
      const kept = descriptorAsFile(file, path, fstatSync(file).size)
      return { ...kept, remarks }
    } catch (error) {
      closeSync(file)
      throw error
    }
  } finally {
    pipe.close()
  }
}

type Write = (bytes: Uint8Array, at: number) => void

function copy(head: Uint8Array, pipe: Pipe, write: Write): string[] {
  let at = 0
  for (let piece = head; piece.length > 0; piece = pipe.take(PIECE_BYTES)) {
    write(piece, at)
    at += piece.length
  }
  return []
}

function unpack(
  path: string,
  head: Uint8Array,
  pipe: Pipe,
  write: Write,
  cutTo: (size: number) => void,
): string[] {
  checkFlatHeader(path, head)
  let end = 0
  for (;;) {
    const at = pipe.taken
    const bytes = pipe.take(FLAT_RECORD_BYTES)
    if (bytes.length < FLAT_RECORD_BYTES) break
    const record = readRecord(path, new DataView(bytes.buffer, bytes.byteOffset), 0, at)
    if (record === 'end') return []
    const { target, size } = record
    let done = 0
    while (done < size) {
      const piece = pipe.take(Math.min(PIECE_BYTES, size - done))
      if (piece.length === 0) break
      if (target + done === 0 && isFlat(piece)) throw flatInFlat(path)
      write(piece, target + done)
      done += piece.length
    }
    if (done < size) break
    end = Math.max(end, target + size)
  }
  // As with a file: up to the last whole record.
  cutTo(end)
  return [
    `the flattened stream is cut off: it ended after ${pipe.taken} bytes, without an end mark`,
  ]
}

/** A pipe's bytes, in order. */
class Pipe {
  /** Bytes taken so far. */
  taken = 0
  readonly #path: string
  readonly #descriptor: number
  readonly #own: boolean
  readonly #named: boolean
  readonly #advance: (bytes: number) => void

  constructor(path: string, advance: (bytes: number) => void) {
    this.#path = path
    this.#advance = advance
    this.#named = !/^\/(dev|proc)\//.test(path)
    // A socket cannot be opened by its name; what is stdin is open already.
    this.#own = !(path === STDIN && fstatSync(0).isSocket())
    this.#descriptor = this.#own ? openDescriptor(path) : 0
  }

  /** The next `length` bytes; fewer only at the end of the stream. */
  take(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    let done = 0
    while (done < length) {
      const got = this.#read(bytes, done)
      if (got === 0) break
      done += got
      this.taken += got
    }
    this.#advance(done)
    return bytes.subarray(0, done)
  }

  close(): void {
    if (this.#own) closeSync(this.#descriptor)
  }

  // Waits in JavaScript, not in the system: so a cell that waits for a writer can be interrupted.
  #read(bytes: Uint8Array, done: number): number {
    const start = performance.now()
    for (;;) {
      try {
        const got = readSync(this.#descriptor, bytes, done, bytes.length - done, null)
        if (got > 0 || this.taken > 0) return got
        // A pipe with a name may have no writer yet. One without is at its end.
        if (!this.#named || performance.now() - start > WRITER_MS) break
      } catch (error) {
        if (codeOf(error) === 'EOF') return 0
        if (codeOf(error) !== 'EAGAIN') {
          const reason = `cannot read from the pipe '${this.#path}': ${reasonOf(error)}`
          throw new DumpError('read', reason, { cause: error })
        }
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS)
    }
    const waited = this.#named ? ` in ${WRITER_MS / 1000} s` : ''
    throw new DumpError(
      'open',
      `nothing came out of the pipe '${this.#path}'${waited}: did the command that writes into it fail?`,
    )
  }
}

/** An open, empty file of this user that has no name any more. */
function temporary(path: string): number {
  try {
    const folder = mkdtempSync(join(tmpdir(), 'qemu-vtop-'))
    try {
      return openSync(join(folder, 'dump'), 'wx+', 0o600)
    } finally {
      rmSync(folder, { recursive: true })
    }
  } catch (error) {
    throw noRoom(path, error)
  }
}

function writeAll(descriptor: number, bytes: Uint8Array, at: number, path: string): void {
  try {
    for (let done = 0; done < bytes.length;) {
      done += writeSync(descriptor, bytes, done, bytes.length - done, at + done)
    }
  } catch (error) {
    throw noRoom(path, error)
  }
}

function noRoom(path: string, error: unknown): DumpError {
  const full = codeOf(error) === 'ENOSPC'
  const reason = full ? 'there is no room left' : reasonOf(error)
  const cure = full ? '; set TMPDIR to a folder with room, or write the dump to a file first' : ''
  return new DumpError(
    'write',
    `cannot keep in ${tmpdir()} what comes out of the pipe '${path}': ${reason}${cure}`,
    { cause: error },
  )
}
