// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/dump/notes.ts.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { writeStruct } from '../../../core/bytes/struct.ts'
import {
  Elf64_Nhdr,
  isSlice,
  otherNotes,
  parseNotes,
  sliceNote,
  vmcoreinfoOf,
  writeNotes,
} from '../../../core/dump/notes.ts'

const note = (name: string, type: number, length: number) => ({
  name,
  type,
  desc: Uint8Array.from({ length }, (_, i) => i + 1),
})
const three = [note('CORE', 1, 336), note('QEMU', 0, 5), note('VMCOREINFO', 0, 7)]

function header(n_namesz: number, n_descsz: number, n_type: number, rest = 0): Uint8Array {
  const bytes = new Uint8Array(Elf64_Nhdr.size + rest)
  writeStruct(Elf64_Nhdr, new DataView(bytes.buffer), 0, { n_namesz, n_descsz, n_type })
  return bytes
}

describe('otherNotes', () => {
  it('names the device of a device dump, and leaves out what every dump has', () => {
    const desc = new Uint8Array(1000)
    desc.set(new TextEncoder().encode('cxgb4_0000\x1b'))
    const notes = [
      ...three.map((one) => ({ ...one, type: one.name === 'CORE' ? 1 : 0 })),
      { name: 'LINUX', type: 0x700, desc },
      note('Odd', 9, 4),
    ]
    assert.deepEqual(otherNotes(notes), [
      'LINUX NT_VMCOREDD cxgb4_0000\\x1b (1000 bytes)',
      'Odd type 9 (4 bytes)',
    ])
  })

  it('counts those that are too many to name', () => {
    const many = Array.from({ length: 50 }, () => note('Odd', 9, 4))
    assert.equal(otherNotes(many).length, 21)
    assert.equal(otherNotes(many).at(-1), '30 more')
  })
})

describe('parseNotes', () => {
  it('reads what writeNotes wrote, whatever the sizes', () => {
    const notes = fc.array(
      fc.record({
        name: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 }),
        type: fc.nat(2 ** 32 - 1),
        desc: fc.uint8Array({ maxLength: 50 }),
      }),
    )
    fc.assert(
      fc.property(notes, (given) => {
        const { notes: read, problem } = parseNotes(writeNotes(given).bytes)
        assert.equal(problem, undefined)
        assert.deepEqual(
          read.map(({ name, type, desc }) => [name, type, [...desc]]),
          given.map(({ name, type, desc }) => [name, type, [...desc]]),
        )
      }),
      { numRuns: 100 },
    )
  })

  it('steps over the zeros that processors without a note leave, and over zeros at the end', () => {
    const one = writeNotes(three.slice(0, 1)).bytes
    const bytes = new Uint8Array([...new Uint8Array(356), ...one, ...new Uint8Array(30)])
    assert.deepEqual(parseNotes(bytes), { notes: three.slice(0, 1), problem: undefined })
  })

  const broken: readonly [name: string, bytes: Uint8Array][] = [
    ['a description longer than the block', header(5, 100, 1, 50)],
    ['sizes that would wrap in 32 bits', header(0xffffffff, 0xffffffff, 1, 50)],
    ['a description of almost 4 GiB', header(4, 0xfffffffe, 1, 50)],
    ['a name of 65 bytes', header(65, 0, 1, 100)],
  ]
  for (const [name, bytes] of broken) {
    it(`keeps the notes before ${name}, and says what stopped it`, () => {
      const before = writeNotes(three).bytes
      const { notes, problem } = parseNotes(new Uint8Array([...before, ...bytes]))
      assert.deepEqual(notes, three)
      assert.match(
        problem ?? '',
        new RegExp(`^note 3 at ${before.length} of the note block cannot be`),
      )
    })
  }

  it('ends on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        assert.ok(parseNotes(bytes).notes.length <= 25)
      }),
      { numRuns: 300 },
    )
  })
})

describe('vmcoreinfoOf', () => {
  it('gives the text of the first VMCOREINFO note, up to a NUL', () => {
    const desc = new TextEncoder().encode('OSRELEASE=6.12\n\0\0rest')
    assert.equal(
      vmcoreinfoOf([...three.slice(0, 2), { name: 'VMCOREINFO', type: 0, desc }]),
      'OSRELEASE=6.12\n',
    )
  })
  it('is undefined without one', () => {
    assert.equal(vmcoreinfoOf(three.slice(0, 2)), undefined)
  })
})

describe('isSlice', () => {
  it('knows the note of a slice', () => {
    assert.equal(isSlice([...three, sliceNote()]), true)
    assert.equal(isSlice(three), false)
  })
})
