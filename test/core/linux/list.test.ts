// SPDX-License-Identifier: GPL-2.0-or-later
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CorruptError, FaultError } from '../../../core/errors.ts'
import { chainNodes, listNodes } from '../../../core/linux/list.ts'
import { BuiltMemory } from '../../build/memory.ts'
import { FlatSpace } from '../../build/space.ts'

describe('listNodes', () => {
  const nodes = (lines: string) => [
    ...listNodes(new FlatSpace(new BuiltMemory().text(lines)), 0x1000n, 'a list'),
  ]

  it('gives the nodes between the head and the head', () => {
    assert.deepEqual(nodes('@1000: 2000\n@2000: 3000\n@3000: 1000'), [0x2000n, 0x3000n])
  })

  it('gives nothing for an empty list', () => {
    assert.deepEqual(nodes('@1000: 1000'), [])
  })

  it('stops in a cycle that does not meet the head', () => {
    assert.throws(
      () => nodes('@1000: 2000\n@2000: 3000\n@3000: 4000\n@4000: 3000'),
      (error) => {
        assert.ok(error instanceof CorruptError)
        assert.match(error.message, /^a list at 0x[34]000: a cycle after \d+ entries$/)
        return true
      },
    )
  })

  it('stops at a node that points at itself', () => {
    assert.throws(() => nodes('@1000: 2000\n@2000: 2000'), CorruptError)
  })

  it('stops at a NULL link', () => {
    assert.throws(() => nodes('@1000: 2000\n@2000: 0'), /NULL link after 1 entries/)
  })

  it('says which address a link that leads nowhere has', () => {
    assert.throws(
      () => nodes('@1000: dead000'),
      (error) => error instanceof FaultError && error.address === 0xdead000n,
    )
  })
})

describe('chainNodes', () => {
  it('follows the links to the NULL at the end', () => {
    const space = new FlatSpace(new BuiltMemory().text('@2000: 3000\n@3000: 0'))
    assert.deepEqual([...chainNodes(space, 0x2000n, 'a chain')], [0x2000n, 0x3000n])
  })
})
