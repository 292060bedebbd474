// SPDX-License-Identifier: GPL-2.0-or-later
// The bytes of a file or pipe of addresses, in order; and at any place, for formats that need that.

import { createReadStream, fstatSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { descriptorAsFile, type FileBytes, openFile } from '../dump/file.ts'
import { writeWhole } from './sink.ts'
import { DumpError } from '../errors.ts'

/** A file on its way in. */
export interface ByteSource {
  /** The name to show in messages. */
  readonly name: string
  /** Its first bytes: eight, unless there are fewer, and perhaps many more. They are in `pieces` too. */
  readonly head: Uint8Array
  /** In bytes, where that is known before the end. */
  readonly size: number | undefined
  /** All its bytes, once. */
  readonly pieces: AsyncIterable<Uint8Array>
  /** The same with random access; what comes out of a pipe is kept in a temporary file for it. */
  readonly whole: () => Promise<FileBytes>
  /** Must be called at the end, and after an error. */
  readonly close: () => Promise<void>
}

const PIECE_BYTES = 1 << 20
const HEAD_BYTES = 8

/** Bytes out of a file by its path, or out of anything that gives them in pieces, such as `process.stdin`. */
export async function openSource(
  input: string | AsyncIterable<Uint8Array>,
  name = 'the input',
): Promise<ByteSource> {
  const path = typeof input === 'string' ? input : undefined
  const shown = path ?? name
  const stat = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false })
  // What is not there is told by what opens it.
  const isFile = path !== undefined && (stat === undefined || stat.isFile())
  if (isFile) openFile(path, 'the file of addresses').close()
  if (stat?.isDirectory() === true) throw cannotRead(shown, 'it is a folder')
  const bytes: AsyncIterable<Uint8Array> =
    typeof input === 'string' ? createReadStream(input, { highWaterMark: PIECE_BYTES }) : input
  const iterator = bytes[Symbol.asyncIterator]()
  const next = async (): Promise<Uint8Array | undefined> => {
    try {
      const result: IteratorResult<Uint8Array, unknown> = await iterator.next()
      return result.done === true ? undefined : result.value
    } catch (error) {
      throw cannotRead(shown, error instanceof Error ? error.message : String(error))
    }
  }
  let head = (await next()) ?? new Uint8Array(0)
  while (head.length < HEAD_BYTES) {
    const more = await next()
    if (more === undefined) break
    head = Uint8Array.from([...head, ...more])
  }
  async function* pieces(): AsyncGenerator<Uint8Array> {
    if (head.length > 0) yield head
    for (let piece = await next(); piece !== undefined; piece = await next()) yield piece
  }
  return {
    name: shown,
    head,
    size: stat?.isFile() === true ? stat.size : undefined,
    pieces: pieces(),
    whole: async () => (isFile ? openFile(path) : await kept(pieces(), shown)),
    close: async () => {
      await iterator.return?.()
    },
  }
}

/** All pieces in a file without a name in the folder for temporary ones. */
async function kept(pieces: AsyncIterable<Uint8Array>, name: string): Promise<FileBytes> {
  const folder = mkdtempSync(join(tmpdir(), 'qemu-vtop-'))
  let file: number
  try {
    file = openSync(join(folder, 'addresses'), 'wx+', 0o600)
  } finally {
    rmSync(folder, { recursive: true })
  }
  const bytes = descriptorAsFile(file, name, 0)
  try {
    for await (const piece of pieces) writeWhole(file, piece)
    return descriptorAsFile(file, name, fstatSync(file).size)
  } catch (error) {
    bytes.close()
    throw error
  }
}

function cannotRead(name: string, reason: string): DumpError {
  return new DumpError('read', `cannot read addresses from ${name}: ${reason}`)
}
