// SPDX-License-Identifier: GPL-2.0-or-later
// A disk that fails: pages that the system does not give are neither lost nor corrupt, in every format.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytesAsFile, type FileBytes } from '../../../core/dump/file.ts'
import { openPages } from '../../../core/dump/open.ts'
import { DumpError, FaultError } from '../../../core/errors.ts'
import { PhysicalMemory } from '../../../core/space/physical.ts'
import { buildElf } from '../../build/elf.ts'
import { buildKdump } from '../../build/kdump.ts'
import { buildLime } from '../../build/lime.ts'

// Noise, which no codec makes smaller: else a whole file would be in the first chunk that is read.
let seed = 1
const noise = () => (seed = Math.imul(seed, 1_103_515_245) + 12_345) >>> 24
const pages = new Map(
  Array.from({ length: 36 }, (_, i) => [i + 5, Uint8Array.from({ length: 4096 }, noise)]),
)
// Far from the headers, which were read when the file was opened.
const asked = 20
const data = Uint8Array.from(Buffer.concat([...pages.values()]))

/** A file whose disk fails for what lies at or above an offset, once `from` is set. */
class FailingFile implements FileBytes {
  readonly name = 'vmcore'
  readonly size: number
  from = Infinity
  readonly #file: FileBytes

  constructor(bytes: Uint8Array) {
    this.#file = bytesAsFile('vmcore', bytes)
    this.size = bytes.length
  }

  read(offset: number, length: number, what: string): Uint8Array {
    if (offset + length <= this.from) return this.#file.read(offset, length, what)
    throw new DumpError('read', `vmcore: cannot read ${what} at ${offset}: EIO: i/o error, read`)
  }

  close(): void {
    this.#file.close()
  }
}

const files: readonly [format: string, bytes: Uint8Array][] = [
  ['kdump-compressed', buildKdump({ pages, codec: 'lzo' }).bytes],
  ['ELF', buildElf({ segments: [{ paddr: 5 * 4096, data }] })],
  ['LiME', buildLime([{ start: 5 * 4096, data }])],
  ['AVML', buildLime([{ start: 5 * 4096, data, packed: true }])],
]

describe('a page on a disk that fails', () => {
  for (const [format, bytes] of files) {
    it(`is unreadable in ${format}, with its address, the file's offset and the system's reason`, () => {
      const file = new FailingFile(bytes)
      const source = openPages(file)
      assert.equal(source.facts.format, format)
      file.from = 0
      assert.throws(
        () => new PhysicalMemory(source).page(asked),
        (error) =>
          error instanceof FaultError &&
          error.reason === 'unreadable' &&
          /^cannot read physical address 0x14000: vmcore: cannot read .* at \d+: EIO/.test(
            error.message,
          ),
      )
    })

    it(`is there in ${format} once the disk reads again`, () => {
      const file = new FailingFile(bytes)
      const source = openPages(file)
      file.from = 0
      source.page(asked)
      file.from = Infinity
      assert.deepEqual(source.page(asked), pages.get(asked))
    })
  }
})
