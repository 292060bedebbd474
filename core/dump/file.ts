// SPDX-License-Identifier: GPL-2.0-or-later
// Bytes of a dump file by offset, checked against the file's end.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { DumpError, FormatError } from '../errors.ts'

/** Random access to the bytes of a dump. A file on disk is one; a test's array is another. */
export interface FileBytes {
  /** The name to show in messages. */
  readonly name: string
  /** The length in bytes. */
  readonly size: number
  /** What is odd about the way to these bytes: for the dump's own remarks. */
  readonly remarks?: readonly string[]
  /** Exactly `length` bytes from `offset`. Throws FormatError, naming `what`, when the file ends before. */
  read(offset: number, length: number, what: string): Uint8Array
  close(): void
}

/** Opens a file on disk for reading; `what` is for messages. Throws DumpError with the system's reason when that fails. */
export function openFile(path: string, what = 'the dump'): FileBytes {
  const descriptor = openDescriptor(path, what)
  const stat = fstatSync(descriptor)
  if (!stat.isFile()) {
    closeSync(descriptor)
    throw new DumpError('open', `cannot open ${what} '${path}': it is not a regular file`)
  }
  return descriptorAsFile(descriptor, path, stat.size)
}

/** Opens a path for reading. Throws DumpError with the system's reason in words. */
export function openDescriptor(path: string, what = 'the dump'): number {
  try {
    // Not to wait for a writer when the path is a pipe's.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    const where = isAbsolute(path) ? '' : ` (in ${process.cwd()})`
    const reason = openReasons[codeOf(error)] ?? reasonOf(error)
    throw new DumpError('open', `cannot open ${what} '${path}'${where}: ${reason}`, {
      cause: error,
    })
  }
}

/** An open file of `size` bytes. `close` closes the descriptor. */
export function descriptorAsFile(descriptor: number, path: string, size: number): FileBytes {
  return {
    name: path,
    size,
    read(offset, length, what) {
      checkRange(path, size, offset, length, what)
      const bytes = new Uint8Array(length)
      let done = 0
      // A read may be short on network file systems, and reads above 2 GiB always are.
      while (done < length) {
        let got: number
        try {
          got = readSync(descriptor, bytes, done, length - done, offset + done)
        } catch (error) {
          const where = `${what} at ${offset}…${offset + length}`
          throw new DumpError('read', `${path}: cannot read ${where}: ${reasonOf(error)}`, {
            cause: error,
          })
        }
        // The file has become shorter since it was opened.
        if (got === 0) checkRange(path, offset + done, offset, length, what)
        done += got
      }
      return bytes
    },
    close() {
      closeSync(descriptor)
    },
  }
}

/** An array as a file, for tests and for formats inside formats. */
export function bytesAsFile(name: string, bytes: Uint8Array): FileBytes {
  return {
    name,
    size: bytes.length,
    read(offset, length, what) {
      checkRange(name, bytes.length, offset, length, what)
      return bytes.subarray(offset, offset + length)
    },
    close() {
      return
    },
  }
}

/** The errors of open(2) that people meet, in words. */
const openReasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'its permissions do not let you read it',
  EPERM: 'the system does not permit it (/proc/kcore: root, and no kernel lockdown)',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is no folder',
}

/** The system's name of an error, such as `ENOENT`; empty for other errors. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** An error's message. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Throws FormatError, naming `what`, when a file of `size` bytes does not have these. */
export function checkRange(
  name: string,
  size: number,
  offset: number,
  length: number,
  what: string,
) {
  if (Number.isSafeInteger(offset) && offset >= 0 && length >= 0 && offset + length <= size) return
  throw new FormatError(
    `${name}: ${what} lies at ${offset}…${offset + length}, but the file ends at ${size}`,
    what,
    offset,
  )
}
