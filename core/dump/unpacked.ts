// SPDX-License-Identifier: GPL-2.0-or-later
// An AVML file as if its blocks were not packed: one behind the other, without headers.

import { FormatError } from '../errors.ts'
import { type FileBytes } from './file.ts'
import { type Block } from './lime/limeblocks.ts'
import { readChunk, walkFrames, type Frames } from './lime/snappyframes.ts'

// Chunks that are kept unpacked: 4 MiB, of 64 KiB each.
const CHUNKS = 64
// Blocks whose chunks are known: 16 MiB of memory each, as AVML writes them.
const BLOCKS = 256

/** What the blocks unpack to, by offset. Chunks are found and unpacked when they are first asked for. */
export class UnpackedBlocks implements FileBytes {
  readonly name: string
  readonly size: number
  /** Where each block begins here. */
  readonly starts: readonly number[]
  readonly #file: FileBytes
  readonly #blocks: readonly Block[]
  // Both in the order of use, oldest first.
  readonly #frames = new Map<Block, Frames>()
  readonly #chunks = new Map<number, Uint8Array>()

  constructor(file: FileBytes, blocks: readonly Block[]) {
    this.name = file.name
    this.#file = file
    this.#blocks = blocks
    let size = 0
    this.starts = blocks.map(({ start, end }) => {
      const at = size
      size += end - start
      return at
    })
    if (size > Number.MAX_SAFE_INTEGER) {
      throw new FormatError(`${file.name}: its ranges are ${size} bytes`, 'lime_header.e_addr', 0)
    }
    this.size = size
  }

  /** Throws DumpError: `codec` when a chunk is damaged, `format` when it is cut off. */
  read(offset: number, length: number, what: string): Uint8Array {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) {
      throw new FormatError(
        `${this.name}: ${what} lies at ${offset}…${offset + length} of ${this.size} unpacked bytes`,
        what,
        offset,
      )
    }
    const bytes = new Uint8Array(length)
    for (let done = 0; done < length;) {
      const index = lastAtOrBelow(this.starts, offset + done)
      const block = this.#blocks[index]
      if (block === undefined) break
      const from = offset + done - (this.starts[index] ?? 0)
      const part = this.#part(block, from, length - done, what)
      bytes.set(part, done)
      done += part.length
    }
    return bytes
  }

  close(): void {
    this.#file.close()
  }

  // At least one and at most `length` bytes of a block.
  #part(block: Block, from: number, length: number, what: string): Uint8Array {
    if (!block.packed) {
      const most = Math.min(length, block.end - block.start - from)
      return this.#file.read(block.offset + from, most, what)
    }
    const frames = this.#framesOf(block)
    if (from >= frames.length && frames.problem !== undefined) throw frames.problem
    const index = lastAtOrBelow(frames.starts, from)
    const chunk = this.#chunkAt(frames.offsets[index] ?? 0)
    const at = from - (frames.starts[index] ?? 0)
    return chunk.subarray(at, at + length)
  }

  #framesOf(block: Block): Frames {
    const known = this.#frames.get(block)
    if (known !== undefined) return known
    const frames = walkFrames(this.#file, block.offset, block.end - block.start)
    keep(this.#frames, block, frames, BLOCKS)
    return frames
  }

  #chunkAt(offset: number): Uint8Array {
    const known = this.#chunks.get(offset)
    if (known !== undefined) return known
    const chunk = readChunk(this.#file, offset)
    keep(this.#chunks, offset, chunk, CHUNKS)
    return chunk
  }
}

function keep<K, V>(map: Map<K, V>, key: K, value: V, most: number): void {
  if (map.size >= most) {
    const [oldest] = map.keys()
    if (oldest !== undefined) map.delete(oldest)
  }
  map.set(key, value)
}

// The index of the last of ascending numbers that is not above `value`.
function lastAtOrBelow(list: readonly number[], value: number): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((list[middle] ?? 0) <= value) low = middle + 1
    else high = middle
  }
  return low - 1
}
