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
import { patterned } from '../../build/pages.ts'

const pages = patterned([5, 6, 300])
const data = (pfn: number) => pages.get(pfn) ?? new Uint8Array()

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
  [
    'ELF',
    buildElf({
      segments: [...pages.keys()].map((pfn) => ({ paddr: pfn * 4096, data: data(pfn) })),
    }),
  ],
]

describe('a page on a disk that fails', () => {
  for (const [format, bytes] of files) {
    it(`is unreadable in ${format}, with its address, the file's offset and the system's reason`, () => {
      const file = new FailingFile(bytes)
      const source = openPages(file)
      assert.equal(source.facts.format, format)
      file.from = 0
      assert.throws(
        () => new PhysicalMemory(source).page(300),
        (error) =>
          error instanceof FaultError &&
          error.reason === 'unreadable' &&
          /^cannot read physical address 0x12c000: vmcore: cannot read .* at \d+: EIO/.test(
            error.message,
          ),
      )
    })

    it(`is there in ${format} once the disk reads again`, () => {
      const file = new FailingFile(bytes)
      const source = openPages(file)
      file.from = 0
      source.page(5)
      file.from = Infinity
      assert.deepEqual(source.page(5), pages.get(5))
    })
  }
})
