// SPDX-License-Identifier: GPL-2.0-or-later
// libvirt's save images, and mapped-ram inside and outside of them, as a test writes them.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytesAsFile } from '../../../../core/dump/file.ts'
import { type PageSource } from '../../../../core/dump/format.ts'
import { openPages } from '../../../../core/dump/open.ts'
import { FormatError, UnsupportedError } from '../../../../core/errors.ts'
import {
  blockList,
  devices,
  mappedStream,
  pageOf,
  ramStart,
  sectionEnd,
  streamHead,
} from '../../../build/qevm.ts'

const xml = `<domain type='kvm'><name>db01</name><memory unit='KiB'>16</memory>
<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os></domain>\0`

/** A save image: the header in one byte order, the XML with room behind it, the stream. */
function saved(stream: Uint8Array, format: number, littleEndian = true, magic = 'Save'): Buffer {
  const header = Buffer.alloc(92)
  header.write(`LibvirtQemud${magic}`)
  const room = 4096
  const words = [2, room, 1, format, 0]
  for (const [i, word] of words.entries()) {
    if (littleEndian) header.writeUInt32LE(word, 16 + 4 * i)
    else header.writeUInt32BE(word, 16 + 4 * i)
  }
  const text = Buffer.alloc(room)
  text.write(xml)
  return Buffer.concat([header, text, stream])
}

function plain(): Buffer {
  const out = blockList(ramStart(streamHead('pc-q35-7.2')), [['pc.ram', 0x4000]])
  out.u64(0x8).name('pc.ram').bytes(pageOf(7)).u64(0x1022).u8(0)
  sectionEnd(out.u64(0x10).u8(3).u32(2))
  return devices(out, []).done()
}

function checkMapped(source: PageSource): void {
  const pages = [0, 1, 2, 3].map((pfn) => source.page(pfn))
  const zeros = Buffer.alloc(4096)
  for (const [i, wanted] of [pageOf(60), zeros, pageOf(62), zeros].entries()) {
    const page = pages[i]
    assert.ok(page instanceof Uint8Array)
    assert.deepEqual([...page], [...wanted])
  }
  assert.equal(source.page(4) instanceof Uint8Array, false)
}

const open = (bytes: Uint8Array) => openPages(bytesAsFile('saved', bytes))

describe('a libvirt save image', () => {
  for (const littleEndian of [true, false]) {
    it(`is read in ${littleEndian ? 'little' : 'big'}-endian order, with what its XML says`, () => {
      const source = open(saved(plain(), 0, littleEndian))
      const page = source.page(0)
      assert.ok(page instanceof Uint8Array)
      assert.deepEqual([...page], [...pageOf(7)])
      assert.equal(source.facts.format, 'libvirt save image, raw')
      assert.match(source.facts.remarks[0] ?? '', /domain db01, machine pc-q35-7.2, memory 16/)
    })
  }

  it('that libvirt did not finish is read as far as it goes', () => {
    const source = open(saved(plain(), 0, true, 'Part'))
    assert.match(source.facts.remarks.join(), /did not finish this save image/)
  })

  for (const [format, name, command] of [
    [1, 'gzip', 'gzip -dc'],
    [2, 'bzip2', 'bzip2 -dc'],
    [3, 'xz', 'xz -dc'],
    [4, 'lzop', 'lzop -dc'],
    [5, 'zstd', 'zstd -dc'],
  ] as const) {
    it(`packed as ${name} is refused with the command that unpacks it`, () => {
      assert.throws(
        () => open(saved(Buffer.alloc(100), format)),
        (error) =>
          error instanceof UnsupportedError &&
          error.message.includes(
            `packed as ${name}. Unpack it: tail -c +4189 'saved' | ${command} >`,
          ),
      )
    })
  }

  it('of another version, or packed in a way that is not known, is refused', () => {
    const other = saved(plain(), 0)
    other.writeUInt32LE(0, 16)
    assert.throws(() => open(other), FormatError)
    assert.throws(() => open(saved(plain(), 9)), /packed as number 9\. Dump the machine by `virsh/)
    assert.throws(() => open(saved(plain(), 0).subarray(0, 50)), FormatError)
  })
})

describe('mapped-ram', () => {
  it('is read by its bitmaps', () => {
    checkMapped(open(mappedStream(0, 0)))
  })

  it('is read in a save image, whether its offsets count from the file or from the stream', () => {
    const base = 92 + 4096
    checkMapped(open(saved(mappedStream(base, 0), 6)))
    checkMapped(open(saved(mappedStream(base, base), 6)))
  })

  it('is refused with pages of another size, or in places that cannot be', () => {
    for (const [at, value] of [
      [4, 8192n],
      [12, 3n],
      [20, 40n],
    ] as const) {
      const bytes = mappedStream(0, 0)
      const header = bytes.indexOf('pc.bios') + 7 + 8
      bytes.writeBigUInt64BE(value, header + at)
      assert.throws(() => open(bytes), /mapped-ram version 1/)
    }
  })
})
