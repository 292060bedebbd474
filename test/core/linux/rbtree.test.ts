// SPDX-License-Identifier: GPL-2.0-or-later
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CorruptError } from '../../../core/errors.ts'
import { RbTrees } from '../../../core/linux/rbtree.ts'
import { BuiltMemory } from '../../build/memory.ts'
import { FlatSpace } from '../../build/space.ts'
import { builtTypes } from '../../build/types.ts'

const types = builtTypes(`
  struct rb_node 24
    0 __rb_parent_color u64
    8 rb_right ptr
    16 rb_left ptr`)

/** Words of a node: parent and colour, right, left. */
const trees = (lines: string) => new RbTrees(new FlatSpace(new BuiltMemory().text(lines)), types)

describe('RbTrees', () => {
  const tree = trees(
    '@4000: 0 6000 2000\n@2000: 0 3000 1000\n@1000: 0 0 0\n@3000: 0 0 0\n@6000: 0 0 5000\n@5000: 0 0 0',
  )

  it('gives the nodes in order', () => {
    assert.deepEqual(
      [...tree.nodes(0x4000n, 'a tree', 100)],
      [0x1000n, 0x2000n, 0x3000n, 0x4000n, 0x5000n, 0x6000n],
    )
  })

  it('gives nothing for an empty tree', () => {
    assert.deepEqual([...tree.nodes(0n, 'a tree', 100)], [])
  })

  const loops: [string, string][] = [
    ['to the left', '@4000: 0 0 4000'],
    ['to the right', '@4000: 0 4000 0'],
    ['over two nodes', '@4000: 0 5000 0\n@5000: 0 0 4000'],
  ]
  for (const [name, lines] of loops) {
    it(`stops in a loop ${name}`, () => {
      assert.throws(() => [...trees(lines).nodes(0x4000n, 'a tree', 100)], CorruptError)
    })
  }

  it('finds the first node at which the search turned left', () => {
    // Each node stands for the range that ends at its address: search the first that ends above.
    const above = (at: bigint) => tree.search(0x4000n, 'a tree', (node) => (node <= at ? 1 : -1))
    assert.equal(above(0x0n), 0x1000n)
    assert.equal(above(0x2000n), 0x3000n)
    assert.equal(above(0x5fffn), 0x6000n)
    assert.equal(above(0x6000n), undefined)
  })

  it('stops a search that does not end', () => {
    const loop = trees('@4000: 0 4000 0')
    assert.throws(() => loop.search(0x4000n, 'a tree', () => 1), CorruptError)
  })
})
