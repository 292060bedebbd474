// SPDX-License-Identifier: GPL-2.0-or-later
// Layouts: members by presence, read with the size that this kernel's types give them.

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { CorruptError, FormatError, MissingError } from '../../../core/errors.ts'
import { readBtf } from '../../../core/types/btf.ts'
import {
  address,
  arrayLength,
  bytes,
  int,
  layout,
  memberType,
  optional,
  pointer,
  u64,
  uint,
} from '../../../core/types/layout.ts'
import { BtfBuilder } from '../../build/btf.ts'
import { BuiltMemory } from '../../build/memory.ts'
import { FlatSpace } from '../../build/space.ts'

function types(build: (b: BtfBuilder) => unknown = () => undefined) {
  const b = new BtfBuilder()
  const [s8, s16, s32, s64] = [1, 2, 4, 8].map((size) =>
    b.int(`s${size * 8}`, size, { signed: true }),
  )
  const [u8, u16, u32, u64_] = [1, 2, 4, 8].map((size) => b.int(`u${size * 8}`, size))
  const wrapped = b.struct('atomic', 4, [{ name: 'counter', type: s32 ?? 0, bits: 0 }])
  const members = { s8, s16, s32, s64, u8, u16, u32, u64: u64_ }
  b.struct('all', 80, [
    ...Object.entries(members).map(([name, type = 0], i) => ({ name, type, bits: i * 64 })),
    { name: 'five', type: s32 ?? 0, bits: 512 + 3, width: 5 },
    { name: 'wide', type: u64_ ?? 0, bits: 520 + 1, width: 60 },
    { name: 'count', type: wrapped, bits: 608 },
  ])
  b.struct('big', 4096, [{ name: 'array', type: b.array(u32 ?? 0, 1024), bits: 0 }])
  build(b)
  return readBtf(b.blob(), 'test')
}

const space = (memory: BuiltMemory) => new FlatSpace(memory)
const ones = () => new BuiltMemory().bytes(0x1000, new Uint8Array(80).fill(0xff))

it('reads integers with the size and in the sign that are asked for', () => {
  const L = layout(types(), 'all', {
    ...{ a: int('s8'), b: int('s16'), c: int('s32'), d: int('s64') },
    ...{ e: uint('u8'), f: uint('u16'), g: uint('u32'), h: u64('u64'), i: u64('u8') },
  })
  const record = L.at(space(ones()), 0x1000n)
  assert.deepEqual([record.a, record.b, record.c, record.d], [-1, -1, -1, -1])
  assert.deepEqual([record.e, record.f, record.g], [0xff, 0xffff, 0xffffffff])
  assert.deepEqual([record.h, record.i], [0xffffffffffffffffn, 0xffn])
  assert.equal(record.address, 0x1000n)
})

it('reads bit-fields, and structs around one integer as that integer', () => {
  const memory = new BuiltMemory().bytes(0x1000, new Uint8Array(80))
  memory
    .u8(0x1040, 0b10110_101)
    .u64(0x1041, (0xabcdef123456789n << 1n) | (1n << 62n))
    .u32(0x104c, 7)
  const L = layout(types(), 'all', {
    ...{ five: int('five'), fiveUnsigned: uint('five'), wide: u64('wide'), count: int('count') },
  })
  const record = L.at(space(memory), 0x1000n)
  assert.deepEqual([record.five, record.fiveUnsigned, record.count], [-10, 0b10110, 7])
  assert.equal(record.wide, 0xabcdef123456789n)
})

it('gives addresses of members, copies of bytes and pointers', () => {
  const memory = new BuiltMemory().zero(0x1000).u64(0x1018, 0xffff888000001000n)
  const L = layout(types(), 'all', { at: address('u16'), raw: bytes('s64'), p: pointer('s64') })
  const record = L.at(space(memory), 0x1000n)
  assert.equal(record.at, 0x1028n)
  assert.equal(record.p, 0xffff888000001000n)
  assert.deepEqual([...record.raw], [0, 0x10, 0, 0, 0x80, 0x88, 0xff, 0xff])
})

it('takes the first path that the kernel has, and leaves out what is optional', () => {
  const L = layout(types(), 'all', {
    state: uint('__state', 'u32', 'u8'),
    gone: optional(pointer('owner')),
    there: optional(int('s8')),
  })
  assert.equal(L.offset('state'), 48)
  assert.equal(L.has('gone'), false)
  assert.equal(L.has('there'), true)
  assert.equal(L.size, 80)
  const record = L.at(space(ones()), 0x1000n)
  const gone: bigint | undefined = record.gone
  assert.equal(gone, undefined)
  assert.equal(record.there, -1)
  assert.throws(() => L.offset('gone'), MissingError)
})

it('names a missing struct or member, with names that look like it', () => {
  assert.throws(
    () => layout(types(), 'al', {}),
    /no type 'al' in the types of test; near names: all/,
  )
  assert.throws(
    () => layout(types(), 'all', { x: int('u33') }),
    (error: unknown) => {
      assert.ok(error instanceof MissingError)
      assert.equal(error.missing, 'all.u33')
      assert.ok(error.near.includes('u32'))
      return true
    },
  )
})

it('refuses to read a member as something that it is not', () => {
  assert.throws(
    () => layout(types(), 'all', { x: pointer('u32') }),
    /all.u32 has 4 bytes: not the type/,
  )
  assert.throws(() => layout(types(), 'all', { x: address('five') }), /a bit-field: not the type/)
  assert.throws(() => layout(types(), 'big', { x: uint('array') }), FormatError)
})

it('refuses an 8-byte number that a number cannot hold, when it is read', () => {
  const record = layout(types(), 'all', { x: uint('u64') }).at(space(ones()), 0x1000n)
  assert.throws(() => record.x, CorruptError)
})

it('reads numbers that lie across two pages', () => {
  const memory = new BuiltMemory().bytes(0x1ffc - 24, new Uint8Array(80).fill(0x7f))
  const record = layout(types(), 'all', { x: u64('s64') }).at(space(memory), 0x1ffcn - 24n)
  assert.equal(record.x, 0x7f7f7f7f7f7f7f7fn)
})

it('refuses structs of one name that differ in what is asked for, and takes copies that agree', () => {
  const twice = (bits: number) =>
    types((b) =>
      b.struct('all', 80, [
        { name: 'u32', type: 7, bits },
        { name: 'more', type: 7, bits: 0 },
      ]),
    )
  assert.equal(layout(twice(6 * 64), 'all', { x: uint('u32') }).offset('x'), 48)
  assert.throws(
    () => layout(twice(32), 'all', { x: uint('u32') }),
    /several structs are called all/,
  )
  assert.throws(
    () => layout(twice(48 * 8), 'all', { x: uint('u8') }),
    /at 32 in one, missing in another/,
  )
})

it('tells the length and the type of array members', () => {
  assert.equal(arrayLength(types(), 'big', 'array'), 1024)
  assert.equal(arrayLength(types(), 'all', 'u8'), undefined)
  assert.equal(memberType(types(), 'big', 'array[3]')?.kind, 'int')
  assert.equal(memberType(types(), 'big', 'array[1024]'), undefined)
})
