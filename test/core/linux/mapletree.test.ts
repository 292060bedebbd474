// SPDX-License-Identifier: GPL-2.0-or-later
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CorruptError } from '../../../core/errors.ts'
import { MapleTrees } from '../../../core/linux/mapletree.ts'
import { BuiltMemory } from '../../build/memory.ts'
import { FlatSpace } from '../../build/space.ts'
import { builtTypes } from '../../build/types.ts'

// include/linux/maple_tree.h of 6.12.
const types = builtTypes(`
  struct maple_metadata 2
    0 end u8
    1 gap u8
  struct maple_range_64 256
    0 parent ptr
    8 pivot u64[15]
    0x80 slot ptr[16]
    0xf8 meta struct:maple_metadata
  struct maple_arange_64 256
    0 parent ptr
    8 pivot u64[9]
    0x50 slot ptr[10]
    0xa0 gap u64[10]
    0xf0 meta struct:maple_metadata`)

const LEAF = 1n
const ARANGE = 3n
/** mte_mk_node of lib/maple_tree.c: the type from bit 3 up, bit 1 marks a node. */
const encode = (address: bigint, type: bigint) => address | (type << 3n) | 2n

/** A leaf with ranges of `[last, entry]`; the node's own end needs no pivot. */
function leaf(memory: BuiltMemory, at: number, ranges: [bigint | null, bigint][]) {
  memory.zero(at)
  ranges.forEach(([last, entry], i) => {
    if (last !== null) memory.u64(at + 8 + 8 * i, last)
    memory.u64(at + 0x80 + 8 * i, entry)
  })
  memory.u8(at + 0xf8, ranges.length - 1)
}

/** A tree of two leaves: VMAs at 0x10000–0x1ffff, 0x30000–0x3ffff and 0x50000–0x5ffff. */
function twoLeaves(): BuiltMemory {
  const memory = new BuiltMemory()
  memory.u64(0x1008, encode(0x2000n, ARANGE)).zero(0x2000)
  memory.u64(0x2008, 0x4ffffn)
  memory.u64(0x2050, encode(0x3000n, LEAF)).u64(0x2058, encode(0x4000n, LEAF)).u8(0x20f0, 1)
  leaf(memory, 0x3000, [
    [0xffffn, 0n],
    [0x1ffffn, 0xa000n],
    [0x2ffffn, 0n],
    [0x3ffffn, 0xb000n],
    [null, 0n],
  ])
  leaf(memory, 0x4000, [
    [0x5ffffn, 0xc000n],
    [null, 0n],
  ])
  return memory
}

const treesOf = (memory: BuiltMemory) => new MapleTrees(new FlatSpace(memory), types)

describe('MapleTrees', () => {
  const rows: [bigint, bigint][] = [
    [0x0n, 0n],
    [0xffffn, 0n],
    [0x10000n, 0xa000n],
    [0x1ffffn, 0xa000n],
    [0x20000n, 0n],
    [0x3abcdn, 0xb000n],
    [0x4ffffn, 0n],
    [0x50000n, 0xc000n],
    [0x60000n, 0n],
    [0xffffffffffffffffn, 0n],
  ]
  for (const [index, entry] of rows) {
    it(`finds ${entry === 0n ? 'nothing' : `0x${entry.toString(16)}`} at 0x${index.toString(16)}`, () => {
      assert.equal(treesOf(twoLeaves()).load(0x1008n, index), entry)
    })
  }

  it('gives all entries in order', () => {
    assert.deepEqual([...treesOf(twoLeaves()).entries(0x1008n, 10)], [0xa000n, 0xb000n, 0xc000n])
  })

  it('gives nothing for an empty tree', () => {
    const trees = treesOf(new BuiltMemory().zero(0x1000))
    assert.deepEqual([...trees.entries(0x1008n, 10)], [])
    assert.equal(trees.load(0x1008n, 0x1234n), 0n)
  })

  it('skips the zero entry that a fork under way leaves', () => {
    const memory = new BuiltMemory().u64(0x1008, encode(0x3000n, LEAF))
    leaf(memory, 0x3000, [
      [0xffffn, 0x406n],
      [null, 0xa000n],
    ])
    assert.deepEqual([...treesOf(memory).entries(0x1008n, 10)], [0xa000n])
  })

  it('stops at a node that is below itself', () => {
    const memory = new BuiltMemory().u64(0x1008, encode(0x2000n, ARANGE)).zero(0x2000)
    memory.u64(0x2050, encode(0x2000n, ARANGE)).u8(0x20f0, 0)
    assert.throws(() => treesOf(memory).load(0x1008n, 0n), CorruptError)
    assert.throws(() => [...treesOf(memory).entries(0x1008n, 10)], CorruptError)
  })

  it('stops at pivots that are out of order', () => {
    const memory = new BuiltMemory().u64(0x1008, encode(0x3000n, LEAF))
    leaf(memory, 0x3000, [
      [0x5000n, 0xa000n],
      [0x4000n, 0xb000n],
      [null, 0n],
    ])
    assert.throws(() => [...treesOf(memory).entries(0x1008n, 10)], /pivot 1 is out of order/)
  })

  it('stops at a node of no type that a live tree has', () => {
    const memory = new BuiltMemory().u64(0x1008, encode(0x2000n, 9n)).zero(0x2000)
    assert.throws(() => treesOf(memory).load(0x1008n, 0n), /unknown node type 9/)
  })

  it('stops at more entries than the process can have', () => {
    assert.throws(() => [...treesOf(twoLeaves()).entries(0x1008n, 2)], /more than 2 entries/)
  })
})
