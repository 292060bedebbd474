// SPDX-License-Identifier: GPL-2.0-or-later
// BTF: what a kernel's encoder can write, written here; blobs that lie; the BTF of real dumps.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DumpError, FormatError } from '../../../core/errors.ts'
import { readBtf } from '../../../core/types/btf.ts'
import { BTF } from '../../../core/types/btfblob.ts'
import { cType } from '../../../core/types/ctype.ts'
import { resolve, sizeOfType } from '../../../core/types/type.ts'
import { BtfBuilder, unknownKind } from '../../build/btf.ts'
import { kernels, realDump } from '../../place.ts'
import { realTypes } from './real.ts'

/** A bit of everything, as a kernel has it. */
function sample(options: ConstructorParameters<typeof BtfBuilder>[0] = {}): BtfBuilder {
  const b = new BtfBuilder(options)
  const int = b.int('int', 4, { signed: true })
  const ulong = b.int('long unsigned int', 8)
  const char = b.int('char', 1, { signed: true })
  const bool = b.int('_Bool', 1, { bool: true })
  const inner = b.struct('', 8, [
    { name: 'low', type: int, bits: 0 },
    { name: 'high', type: int, bits: 32 },
  ])
  const either = b.union('', 8, [
    { name: 'whole', type: ulong, bits: 0 },
    { name: '', type: inner, bits: 0 },
  ])
  const pgd = b.typedef('pgd_t', b.struct('', 8, [{ name: 'pgd', type: ulong, bits: 0 }]))
  const letters = b.array(char, 16)
  const two = b.array(pgd, 2)
  const open = b.array(int, 0)
  // The struct is the third type from here.
  const self = b.pointer(b.modifier('CONST', b.nextId + 2))
  b.struct('task', 72, [
    { name: 'self', type: self, bits: 0 },
    { name: '', type: either, bits: 64 },
    { name: 'comm', type: letters, bits: 128 },
    { name: 'pgd', type: pgd, bits: 256 },
    { name: 'three', type: int, bits: 320, width: 3 },
    { name: 'yes', type: bool, bits: 323, width: 1 },
    { name: 'long_field', type: ulong, bits: 330, width: 40 },
    { name: 'pgds', type: two, bits: 384 },
    { name: 'open', type: open, bits: 576 },
  ])
  b.enum('colour', { RED: 0, GREEN: 5, LAST: 0xffffffff }, { signed: true })
  b.enum64('wide', { SMALL: 7n, HUGE: 1n << 60n, MINUS: -1n }, true)
  b.enum('', { LONELY: 42 })
  return b
}

describe('written BTF', () => {
  const types = readBtf(sample().blob(), 'test')

  it('finds members by path, through anonymous structs and unions and array elements', () => {
    const task = types.struct('task')
    assert.equal(task?.size, 72)
    const offset = (path: string) => task.member(path)?.offset
    assert.equal(offset('self'), 0)
    assert.equal(offset('whole'), 8)
    assert.equal(offset('high'), 12)
    assert.equal(offset('pgd.pgd'), 32)
    assert.equal(offset('pgds[1].pgd'), 56)
    assert.equal(offset('pgds[2]'), undefined)
    assert.equal(offset('open[3]'), 84)
    assert.equal(offset('self.comm'), undefined)
    assert.equal(offset('nothing'), undefined)
    assert.equal(offset(''), undefined)
    assert.deepEqual(
      task.memberNames(),
      'self whole low high comm pgd three yes long_field pgds open'.split(' '),
    )
  })

  it('places bit-fields by their bits', () => {
    const task = types.struct('task')
    const { type, ...long } = task?.member('long_field') ?? {}
    assert.equal(type?.kind, 'int')
    assert.deepEqual(long, { name: 'long_field', offset: 41, size: 6, bitOffset: 2, bitSize: 40 })
    assert.equal(task?.member('yes')?.bitOffset, 3)
  })

  it('gives structs for typedefs of them, and sizes of named types', () => {
    assert.equal(types.struct('pgd_t')?.memberNames()[0], 'pgd')
    assert.equal(types.sizeOf('pgd_t'), 8)
    assert.equal(types.sizeOf('int'), 4)
    assert.equal(types.sizeOf('nothing'), undefined)
    assert.equal(types.has('colour'), true)
    assert.equal(types.has('color'), false)
    assert.deepEqual(types.near('tasc'), ['task'])
  })

  it('gives one object for one type, whatever qualifiers lead to it', () => {
    const self = types.struct('task')?.member('self')?.type
    assert.equal(self?.kind === 'pointer' && self.target, types.struct('task'))
  })

  it('reads enums of 32 and 64 bits, and constants of anonymous ones', () => {
    assert.deepEqual(
      [...(types.enumerators('colour') ?? [])],
      [
        ['RED', 0],
        ['GREEN', 5],
        ['LAST', -1],
      ],
    )
    assert.deepEqual(
      [...(types.enumerators('wide') ?? [])],
      [
        ['SMALL', 7],
        ['MINUS', -1],
      ],
    )
    assert.equal(types.enumerator('LONELY'), 42)
    assert.equal(types.enumerator('NOTHING'), undefined)
    assert.deepEqual([...types.enumeratorsLike(/^(LONE|RE)/)].sort(), [
      ['LONELY', 42],
      ['RED', 0],
    ])
  })

  it('writes types as C does', () => {
    const word = (path: string) =>
      cType(types.struct('task')?.member(path)?.type ?? { kind: 'void' })
    assert.equal(word('self'), 'struct task *')
    assert.equal(word('comm'), 'char[16]')
    assert.equal(word('pgds'), 'pgd_t[2]')
  })

  it('takes constants without kind_flag as signed only from encoders that never set it', () => {
    const old = new BtfBuilder()
    old.enum('codes', { ERROR: -1, OK: 0 })
    assert.equal(readBtf(old.blob(), 'test').enumerators('codes')?.get('ERROR'), -1)
    old.enum('other', { X: -1 }, { signed: true })
    assert.equal(readBtf(old.blob(), 'test').enumerators('codes')?.get('ERROR'), 0xffffffff)
  })

  it('reads bit-fields that the integer type describes, as encoders wrote before kind_flag', () => {
    const b = new BtfBuilder()
    const five = b.int('unsigned int', 4, { bits: 5, offset: 3 })
    const int = b.int('int', 4, { signed: true })
    b.struct(
      'old',
      8,
      [
        { name: 'five', type: five, bits: 32 },
        { name: 'int', type: int, bits: 0 },
      ],
      { widths: false },
    )
    const { type, ...five_ } = readBtf(b.blob(), 'test').struct('old')?.member('five') ?? {}
    assert.equal(type?.kind, 'int')
    assert.deepEqual(five_, { name: 'five', offset: 4, size: 1, bitOffset: 3, bitSize: 5 })
    assert.equal(readBtf(b.blob(), 'test').struct('old')?.member('int')?.bitSize, undefined)
  })

  it('steps over kinds that it does not know when the layout section describes them', () => {
    const b = sample({ layout: true })
    b.record('new', unknownKind, 2, false, 0, [1, 2, 3, 4, 5])
    const id = b.int('behind', 4)
    const later = readBtf(b.blob(), 'test')
    assert.equal(later.sizeOf('behind'), 4)
    assert.throws(() => later.typeOf(id - 1), /is of kind 20/)
    const without = sample()
    without.record('new', unknownKind, 0, false, 0, [1])
    assert.throws(() => readBtf(without.blob(), 'test'), /BTF kind 20 is not known/)
  })
})

describe('split BTF', () => {
  const base = sample()
  const module = new BtfBuilder({ base })
  // `comm` is a string of the base already: a name can lie there.
  module.struct('comm', 12, [
    { name: 'count', type: 1, bits: 0 },
    { name: 'next', type: module.nextId + 1, bits: 32 },
  ])
  module.pointer(module.firstId)

  it('counts ids and strings on from its base', () => {
    const vmlinux = readBtf(base.blob(), 'vmlinux')
    const types = readBtf(module.blob(), 'kvm', vmlinux)
    assert.equal(types.struct('comm')?.member('count')?.size, 4)
    const next = types.struct('comm')?.member('next')?.type
    assert.equal(next?.kind === 'pointer' && next.target, types.struct('comm'))
    assert.equal(types.struct('task'), vmlinux.struct('task'))
    assert.equal(types.enumerator('LONELY'), 42)
    assert.equal(vmlinux.struct('comm'), undefined)
  })

  it('refuses ids and strings that neither has', () => {
    const broken = new BtfBuilder({ base })
    broken.struct('x', 4, [{ name: 'a', type: 5000, bits: 0 }])
    const types = readBtf(broken.blob(), 'kvm', readBtf(base.blob(), 'vmlinux'))
    assert.throws(() => types.struct('x')?.member('a'), /type 5000 does not exist/)
    assert.throws(() => readBtf(broken.blob(), 'kvm').struct('x'), FormatError)
  })
})

describe('BTF that lies', () => {
  const blobs: readonly [string, (b: BtfBuilder) => unknown, RegExp][] = [
    [
      'typedefs in a circle',
      (b) =>
        b.struct('x', 8, [{ name: 'a', type: b.nextId + 1, bits: 0 }]) &&
        b.typedef('y', b.nextId + 1) &&
        b.typedef('z', b.nextId - 1),
      /a circle/,
    ],
    [
      'qualifiers in a circle',
      (b) =>
        b.struct('x', 8, [{ name: 'a', type: b.nextId + 1, bits: 0 }]) &&
        b.modifier('CONST', b.nextId),
      /a circle/,
    ],
    [
      'an anonymous struct inside itself',
      (b) =>
        b.struct('x', 8, [{ name: '', type: b.nextId + 1, bits: 0 }]) &&
        b.struct('', 8, [{ name: '', type: b.nextId, bits: 0 }]),
      /nested deeper/,
    ],
    [
      'arrays of arrays without end',
      (b) => b.struct('x', 8, [{ name: 'a', type: b.nextId + 1, bits: 0 }]) && b.array(b.nextId, 1),
      /nothing can hold/,
    ],
    [
      'an array of absurd size',
      (b) =>
        b.struct('x', 8, [{ name: 'a', type: b.nextId + 1, bits: 0 }]) &&
        b.array(b.nextId + 1, 0xffffffff) &&
        b.array(1, 0xffffffff),
      /does not fit|nothing can hold/,
    ],
    [
      'a member behind the end',
      (b) => b.struct('x', 8, [{ name: 'a', type: 1, bits: 64 }]),
      /does not fit in 8 bytes/,
    ],
    [
      'a member of type void',
      (b) => b.struct('x', 8, [{ name: 'a', type: 0, bits: 0 }]),
      /without a size/,
    ],
    [
      'a member that is a variable',
      (b) =>
        b.struct('x', 8, [{ name: 'a', type: b.nextId + 1, bits: 0 }]) &&
        b.record('v', BTF.VAR, 0, false, 1, [0]),
      /no type of a value/,
    ],
  ]
  for (const [what, build, message] of blobs) {
    it(`refuses ${what}`, () => {
      const b = new BtfBuilder()
      b.int('int', 4)
      build(b)
      const types = readBtf(b.blob(), 'test')
      assert.throws(() => types.struct('x')?.member('a'), message)
      assert.throws(
        () =>
          types
            .struct('x')
            ?.memberNames()
            .map((name) => types.struct('x')?.member(name)?.size),
        FormatError,
      )
    })
  }

  it('refuses a struct whose anonymous members double at every step', () => {
    const b = new BtfBuilder()
    let inner = b.struct('', 0, [])
    for (let i = 0; i < 15; i++) {
      inner = b.struct(
        '',
        0,
        Array.from({ length: 8 }, () => ({ name: '', type: inner, bits: 0 })),
      )
    }
    b.struct('x', 0, [{ name: '', type: inner, bits: 0 }])
    const types = readBtf(b.blob(), 'test')
    assert.throws(() => types.struct('x')?.member('a'), FormatError)
    assert.throws(() => types.struct('x')?.memberNames(), FormatError)
  })

  it('refuses headers and sections that do not fit', () => {
    const good = Buffer.from(sample().blob())
    const bad = (offset: number, value: number) => {
      const bytes = Buffer.from(good)
      bytes.writeUInt32LE(value, offset)
      return () => readBtf(new Uint8Array(bytes), 'test')
    }
    assert.throws(() => readBtf(new Uint8Array(10), 'test'), /no BTF of version 1/)
    assert.throws(bad(0, 0x12345678), /no BTF of version 1/)
    assert.throws(bad(4, 8), /header of 8 bytes/)
    assert.throws(bad(4, 0xfffffff0), /header of/)
    assert.throws(bad(12, 0xffffff00), /section of type_off/)
    assert.throws(bad(20, 0), /strings without an end/)
    assert.throws(bad(12, good.readUInt32LE(12) - 4), /the types of its BTF at/)
  })

  it('gives an answer or a DumpError for every blob that is cut or has a changed byte', () => {
    const good = sample().blob()
    let seed = 7
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
      return (seed >>> 8) % below
    }
    for (let round = 0; round < 3000; round++) {
      const bytes = round % 5 === 0 ? good.slice(0, random(good.length)) : good.slice()
      if (round % 5 !== 0) bytes[random(bytes.length)] = random(256)
      try {
        const types = readBtf(bytes, 'test')
        for (const name of types.struct('task')?.memberNames() ?? []) {
          const type = types.struct('task')?.member(name)?.type
          if (type !== undefined) sizeOfType(resolve(type))
        }
        types.enumeratorsLike(/x/)
        types.near('task')
      } catch (error) {
        assert.ok(error instanceof DumpError, String(error))
      }
    }
  })
})

// Offsets that pahole shows for these three kernels; members that a kernel lacks are null.
const offsets: readonly [struct: string, member: string, at: readonly (number | null)[]][] = [
  ['task_struct', 'tasks', [0x7b8, 0x8b0, 0xa68]],
  ['task_struct', 'thread_group', [0x968, null, null]],
  ['task_struct', 'mm', [0x808, 0x900, 0xab8]],
  ['task_struct', 'comm', [0xab0, 0xba0, 0xd50]],
  ['task_struct', 'state', [0x10, null, null]],
  ['task_struct', '__state', [null, 0x18, 0x18]],
  ['mm_struct', 'pgd', [0x50, 0x78, 0x78]],
  ['mm_struct', 'mm_mt', [null, 0x40, 0x40]],
  ['mm_struct', 'arg_start', [0x138, 0x170, 0x2d8]],
  ['vm_area_struct', 'vm_flags', [0x50, 0x20, 0x20]],
  ['vm_area_struct', 'shared.rb', [0x58, 0x38, 0x88]],
  ['file', 'f_path', [0x10, 0x40, 0x40]],
  ['file', 'f_op', [0x28, 0x10, 0x08]],
  ['file', 'private_data', [0xc8, 0x20, 0x18]],
  ['dentry', 'd_name.len', [0x24, 0x24, 0x24]],
  ['swap_info_struct', 'swap_file', [0x98, 0x228, 0x1e8]],
  ['kvm', 'memslots', [0x30, 0x1118, 0x1108]],
  ['kvm', 'mm', [0x28, 0x48, 0x38]],
  ['kvm_memory_slot', 'base_gfn', [0, 0xb0, 0xb0]],
  ['kvm_memory_slot', 'userspace_addr', [0x48, 0xf8, 0xf8]],
  ['kvm_memory_slot', 'as_id', [0x56, 0x106, 0x106]],
  ['kvm_vcpu', 'arch.cr3', [0x2d8, 0x1d0, 0x1d8]],
]

for (const [i, kernel] of kernels.entries()) {
  const { skip } = realDump(kernel)
  describe(`BTF of ${kernel}`, { skip }, () => {
    for (const [struct, member, at] of offsets) {
      it(`has ${struct}.${member} where pahole has it`, () => {
        const found = realTypes(kernel).struct(struct)?.member(member)
        assert.equal(found?.offset ?? null, at[i])
      })
    }

    it('has the sizes of structs and the constants of this kernel', () => {
      const types = realTypes(kernel)
      assert.equal(types.sizeOf('task_struct'), [9408, 9792, 6144][i])
      assert.equal(types.sizeOf('page'), 64)
      assert.equal(types.enumerators('pageflags')?.get('PG_head'), [16, 6, 6][i])
      assert.equal(types.enumerator('HUGETLB_PAGE_DTOR'), [2, undefined, undefined][i])
    })

    it('describes every member of every struct within its bounds', () => {
      const types = realTypes(kernel)
      const { blob } = types
      let members = 0
      for (let id = blob.firstId; id < blob.firstId + blob.count; id++) {
        const kind = blob.kind(blob.at(id))
        if (kind !== BTF.STRUCT && kind !== BTF.UNION) continue
        const type = types.typeOf(id)
        if (type.kind === 'struct' || type.kind === 'union') members += type.members.length
      }
      assert.ok(members > 49_000, String(members))
    })
  })
}
