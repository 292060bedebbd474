// SPDX-License-Identifier: GPL-2.0-or-later
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CorruptError, FormatError } from '../../../core/errors.ts'
import { RadixTrees } from '../../../core/linux/radixtree.ts'
import { treesOf } from '../../../core/linux/tree.ts'
import { XArrays } from '../../../core/linux/xarray.ts'
import { BuiltMemory } from '../../build/memory.ts'
import { FlatSpace } from '../../build/space.ts'
import { builtTypes } from '../../build/types.ts'

interface Form {
  readonly name: string
  readonly root: string
  readonly node: string
  /** The first word of a node of some height (1 at the bottom) that is entry `offset` of its parent. */
  head(height: number, offset: number): bigint
  /** Whether pointers to nodes below the root have bit 0 too. */
  readonly isTagged: boolean
}

// include/linux/radix-tree.h of each kernel.
const oldRoot = 'struct radix_tree_root 16\n 0 height u32\n 4 gfp_mask u32\n 8 rnode ptr'
const forms: readonly Form[] = [
  {
    name: 'height, until 3.14',
    root: oldRoot,
    node: 'struct radix_tree_node 560\n 0 height u32\n 4 count u32\n 0x18 slots ptr[64]',
    head: (height) => BigInt(height) + (1n << 32n),
    isTagged: false,
  },
  {
    name: 'path, 3.15 to 4.5',
    root: oldRoot,
    node: 'struct radix_tree_node 576\n 0 path u32\n 4 count u32\n 0x28 slots ptr[64]',
    head: (height, offset) => BigInt(height) + (BigInt(offset) << 12n) + (1n << 32n),
    isTagged: false,
  },
  {
    name: 'path, with tagged nodes, 4.6',
    root: oldRoot,
    node: 'struct radix_tree_node 576\n 0 path u32\n 4 count u32\n 0x28 slots ptr[64]',
    head: (height, offset) => BigInt(height) + (BigInt(offset) << 12n) + (1n << 32n),
    isTagged: true,
  },
  {
    name: 'shift, 4.7 to 4.19',
    root: 'struct radix_tree_root 16\n 0 gfp_mask u32\n 8 rnode ptr',
    node: 'struct radix_tree_node 576\n 0 shift u8\n 1 offset u8\n 4 count u32\n 0x28 slots ptr[64]',
    head: (height, offset) => BigInt(height * 6 - 6) + (BigInt(offset) << 8n) + (1n << 32n),
    isTagged: true,
  },
]

const ROOT = 0x1000
const rootAt = BigInt(ROOT)

/** A tree in memory, whose nodes lie 4096 bytes apart from 0x2000 on. */
class BuiltTree {
  readonly memory = new BuiltMemory()
  readonly trees: RadixTrees
  readonly #form: Form
  readonly #slots: number

  constructor(form: Form) {
    const types = builtTypes(`${form.root}\n${form.node}`)
    this.#form = form
    this.#slots = types.struct('radix_tree_node')?.member('slots')?.offset ?? 0
    for (let at = 0; at < 0x10000; at += 4096) this.memory.zero(at)
    this.trees = new RadixTrees(new FlatSpace(this.memory), types)
  }

  root(entry: bigint): this {
    this.memory.u64(ROOT + 8, entry)
    return this
  }

  node(at: number, height: number, entries: Readonly<Record<number, bigint>>, offset = 0): this {
    this.memory.u64(at, this.#form.head(height, offset))
    for (const [slot, entry] of Object.entries(entries)) {
      this.memory.u64(at + this.#slots + 8 * Number(slot), entry)
    }
    return this
  }

  /** What points at the node at an address from another node. */
  to(at: number): bigint {
    return BigInt(at) + (this.#form.isTagged ? 1n : 0n)
  }

  /** The address of a slot. */
  slot(at: number, index: number): bigint {
    return BigInt(at + this.#slots + 8 * index)
  }
}

for (const form of forms) {
  describe(`Radix trees whose nodes have ${form.name}`, () => {
    const tree = () => new BuiltTree(form)

    it('are empty with nothing in the root', () => {
      assert.equal(tree().trees.load(rootAt, 0), 0n)
      assert.deepEqual([...tree().trees.entries(rootAt, 10)], [])
    })

    it('of height 0 have the entry of index 0 in the root', () => {
      const { trees } = tree().root(0xabc000n)
      assert.equal(trees.load(rootAt, 0), 0xabc000n)
      assert.equal(trees.load(rootAt, 1), 0n)
      assert.deepEqual([...trees.entries(rootAt, 10)], [0xabc000n])
    })

    it('of height 1 have 64 entries', () => {
      const { trees } = tree().root(0x2001n).node(0x2000, 1, { 0: 0xa000n, 63: 0xb000n })
      assert.deepEqual(
        [0, 1, 63, 64].map((index) => trees.load(rootAt, index)),
        [0xa000n, 0n, 0xb000n, 0n],
      )
      assert.deepEqual([...trees.entries(rootAt, 10)], [0xa000n, 0xb000n])
    })

    it('of height 3 lead to an entry by eighteen bits of its index', () => {
      const built = tree()
      const { trees } = built
        .root(0x2001n)
        .node(0x2000, 3, { 0: built.to(0x3000), 5: built.to(0x4000) })
        .node(0x3000, 2, {})
        .node(0x4000, 2, { 9: built.to(0x5000) }, 5)
        .node(0x5000, 1, { 33: 0xc000n, 34: (77n << 2n) | 2n }, 9)
      const index = (5 << 12) + (9 << 6) + 33
      assert.deepEqual(trees.find(rootAt, index), { entry: 0xc000n, first: index })
      assert.equal(trees.load(rootAt, 33), 0n)
      assert.equal(trees.load(rootAt, 64 ** 3 + index), 0n)
      // A value, as an XArray would have it.
      assert.equal(trees.load(rootAt, index + 1), (77n << 1n) | 1n)
      assert.deepEqual([...trees.entries(rootAt, 10)], [0xc000n, 155n])
      assert.throws(() => [...trees.entries(rootAt, 4)], CorruptError)
    })

    it('of height 11 have every index of 64 bits', () => {
      // swp_entry(1, 5) of 3.5 to 4.8.
      const index = (1n << 57n) + 5n
      const built = tree().root(0x2001n)
      for (let height = 11; height > 0; height--) {
        const at = 0x2000 + (11 - height) * 0x1000
        const slot = Number((index >> BigInt(6 * (height - 1))) & 63n)
        built.node(at, height, { [slot]: height === 1 ? 0xd000n : built.to(at + 0x1000) })
      }
      assert.equal(built.trees.load(rootAt, index), 0xd000n)
      assert.equal(built.trees.load(rootAt, index - 1n), 0n)
    })

    it('say nothing of a slot that is to be looked at again', () => {
      const { trees } = tree().root(0x2001n).node(0x2000, 1, { 0: 1n })
      assert.equal(trees.load(rootAt, 0), 0n)
    })

    it('do not turn in a circle', () => {
      const built = tree()
      built.root(0x2001n).node(0x2000, 2, { 0: built.to(0x2000) })
      assert.throws(() => built.trees.load(rootAt, 0), CorruptError)
      assert.throws(() => [...built.trees.entries(rootAt, 100)], /radix_tree_node .*0x2000/)
    })

    it('do not believe a height that no tree has', () => {
      const { trees } = tree().root(0x2001n).node(0x2000, 12, {})
      assert.throws(() => trees.load(rootAt, 0), CorruptError)
    })
  })
}

describe('Radix trees since 4.6', () => {
  for (const form of forms.filter(({ isTagged }) => isTagged)) {
    it(`have one entry for several slots, with ${form.name}`, () => {
      const built = new BuiltTree(form)
      const other = built.slot(0x3000, 4) | 1n
      const { trees } = built
        .root(0x2001n)
        .node(0x2000, 2, { 1: built.to(0x3000) })
        .node(0x3000, 1, { 4: 0xc000n, 5: other, 6: other, 7: other }, 1)
      assert.deepEqual(trees.find(rootAt, 64 + 6), { entry: 0xc000n, first: 64 + 4 })
      assert.deepEqual([...trees.entries(rootAt, 10)], [0xc000n])
    })
  }

  it('have an entry in place of a node, which covers all that the node would', () => {
    const built = new BuiltTree(forms[3] ?? assert.fail())
    const { trees } = built.root(0x2001n).node(0x2000, 2, { 3: 0xc000n })
    assert.deepEqual(trees.find(rootAt, 3 * 64 + 7), { entry: 0xc000n, first: 3 * 64 })
  })
})

describe('The trees of a kernel', () => {
  const space = new FlatSpace(new BuiltMemory())
  const xarray =
    'struct xarray 16\n 8 xa_head ptr\nstruct xa_node 576\n 0 shift u8\n 40 slots ptr[64]'
  const [form] = forms
  assert.ok(form)

  it('are radix trees or XArrays by what its types have', () => {
    assert.ok(treesOf(space, builtTypes(xarray)) instanceof XArrays)
    assert.ok(treesOf(space, builtTypes(`${form.root}\n${form.node}`)) instanceof RadixTrees)
  })

  it('are refused with nodes of another form', () => {
    const [root, node] = [form.root, form.node]
    assert.throws(
      () => treesOf(space, builtTypes(`${root}\n${node.replace('[64]', '[32]')}`)),
      FormatError,
    )
    assert.throws(
      () => treesOf(space, builtTypes(`${root}\n${node.replace('height', 'depth')}`)),
      /height or path/,
    )
  })
})
