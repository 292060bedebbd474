// SPDX-License-Identifier: GPL-2.0-or-later
// Memslots in each form that kernels keep them in, built from the layouts of those kernels.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Memslots } from '../../../../core/kvm/memslots/memslots.ts'
import { CorruptError, UnsupportedError } from '../../../../core/errors.ts'
import { type Types } from '../../../../core/types/type.ts'
import { BuiltMemory } from '../../../build/memory.ts'
import { FlatSpace } from '../../../build/space.ts'
import { builtTypes } from '../../../build/types.ts'

const release = { release: 'of a test' }
const memslotsOf = (types: Types, memory: BuiltMemory) =>
  new Memslots({ types, space: new FlatSpace(memory), vmcoreinfo: release })

/** struct kvm at 0x1000: two address spaces, the sets at 0x2000 and 0x8000. */
const KVM = 0x1000n

interface Wanted {
  readonly gfn: number
  readonly npages: number
  readonly hva: bigint
  readonly flags: number
  readonly id: number
}

const low: Wanted = { gfn: 0, npages: 0xa0, hva: 0x7f0000000000n, flags: 0, id: 0 }
const rom: Wanted = { gfn: 0xfffc0, npages: 0x40, hva: 0x7f1000000000n, flags: 2, id: 1 }
const dying: Wanted = { gfn: 0x100, npages: 0x700, hva: 0x7f0000100000n, flags: 1 << 16, id: 2 }
const smram: Wanted = { gfn: 0xa0, npages: 0x20, hva: 0x7f00000a0000n, flags: 1, id: 0 }

const shown = (slots: ReturnType<Memslots['of']>) =>
  slots.map(({ addressSpace, id, gpa, size, hva, flags, invalid }) => [
    addressSpace,
    id,
    gpa,
    size,
    hva,
    flags.join('|'),
    invalid,
  ])

const wanted = [
  [0, 0, 0, 0xa0000, low.hva, '', false],
  [0, 2, 0x100000, 0x700000, dying.hva, 'INVALID', true],
  [0, 1, 0xfffc0000, 0x40000, rom.hva, 'READONLY', false],
  [1, 0, 0xa0000, 0x20000, smram.hva, 'LOG_DIRTY_PAGES', false],
]

// Offsets of Debian's 6.12 kernel: include/linux/kvm_host.h.
const tree = builtTypes(`
  struct rb_node 24
    0 __rb_parent_color u64
    8 rb_right ptr
    16 rb_left ptr
  struct rb_root 8
    0 rb_node ptr
  struct kvm_memory_slot 280
    0x80 gfn_node struct:rb_node[2]
    0xb0 base_gfn u64
    0xb8 npages u64
    0xf8 userspace_addr u64
    0x100 flags u32
    0x104 id s16
  struct kvm_memslots 1072
    0x20 gfn_tree struct:rb_root
    0x428 node_idx s32
  struct kvm 64
    0x10 memslots ptr[2]`)

function writeSlot(memory: BuiltMemory, at: number, slot: Wanted, offsets: number[]) {
  const [gfn = 0, npages = 0, hva = 0, flags = 0, id = 0] = offsets
  memory.u64(at + gfn, BigInt(slot.gfn)).u64(at + npages, BigInt(slot.npages))
  memory
    .u64(at + hva, slot.hva)
    .u32(at + flags, slot.flags)
    .u8(at + id, slot.id)
}
const treeOffsets = [0xb0, 0xb8, 0xf8, 0x100, 0x104]

function treeMemory(nodeIndex: number): BuiltMemory {
  const node = (slot: number) => BigInt(slot + 0x80 + nodeIndex * 24)
  const memory = new BuiltMemory().u64(0x1010, 0x2000n).u64(0x1018, 0x8000n)
  // The middle one on top; the deleted copy in the other set's nodes must not be seen.
  memory.u64(0x2020, node(0x4000)).u32(0x2428, nodeIndex)
  memory.u64(0x8020, node(0x6000)).u32(0x8428, nodeIndex)
  writeSlot(memory, 0x3000, low, treeOffsets)
  writeSlot(memory, 0x4000, dying, treeOffsets)
  writeSlot(memory, 0x5000, rom, treeOffsets)
  writeSlot(memory, 0x6000, smram, treeOffsets)
  writeSlot(memory, 0x7000, { ...low, npages: 0x999 }, treeOffsets)
  const stale = 1 - nodeIndex
  memory.u64(Number(node(0x4000)) + 8, node(0x5000)).u64(Number(node(0x4000)) + 16, node(0x3000))
  memory.u64(0x4080 + stale * 24 + 16, BigInt(0x7080 + stale * 24))
  return memory
}

describe('memslots in a red-black tree (5.17 and later)', () => {
  for (const nodeIndex of [0, 1]) {
    it(`come out of the set that is active, ${nodeIndex}`, () => {
      assert.deepEqual(shown(memslotsOf(tree, treeMemory(nodeIndex)).of(KVM)), wanted)
    })
  }

  it('are those before a loop in the tree, each once, and the loop is told', () => {
    const memory = treeMemory(0)
    memory.u64(0x5088, 0x4080n)
    const list = memslotsOf(tree, memory).of(KVM)
    assert.deepEqual(
      list.filter(({ addressSpace }) => addressSpace === 0).map(({ address }) => address),
      [0x3000n, 0x4000n, 0x5000n],
    )
    assert.equal(list.isWhole, false)
    assert.match(
      list.lost[0]?.reason ?? '',
      /^kvm_memslots.gfn_tree at 0x3080: comes twice: a loop$/,
    )
  })

  it('stop at an index of a set that cannot be', () => {
    const memory = treeMemory(0)
    memory.u32(0x2428, 7)
    assert.throws(() => memslotsOf(tree, memory).of(KVM), /node_idx at 0x2000: is 7/)
  })

  it('tell of one with more guest memory than there can be, beside the others', () => {
    const memory = treeMemory(0)
    memory.u64(0x30b8, 1n << 41n)
    const list = memslotsOf(tree, memory).of(KVM)
    assert.deepEqual(
      list.filter(({ addressSpace }) => addressSpace === 0).map(({ address }) => address),
      [0x4000n, 0x5000n],
    )
    assert.deepEqual([list.isWhole, list.lost[0]?.addresses], [false, [0x3000n]])
    assert.match(list.lost[0]?.reason ?? '', /pages are more than a guest can have$/)
  })

  it('are missing when KVM was torn down', () => {
    const memory = treeMemory(0)
    memory.u64(0x1010, 0n)
    assert.equal(memslotsOf(tree, memory).areMissing(KVM), true)
    assert.equal(memslotsOf(tree, treeMemory(0)).areMissing(KVM), false)
  })
})

// Offsets of Debian's 5.10 kernel; until 5.7 the array had a fixed length instead.
const arrayText = (length: number) => `
  struct kvm_memory_slot 88
    0 base_gfn u64
    8 npages u64
    0x48 userspace_addr u64
    0x50 flags u32
    0x54 id s16
  struct kvm_memslots 1040
    0x40c used_slots s32
    0x410 memslots struct:kvm_memory_slot[${length}]
  struct kvm 64
    0x10 memslots ptr[2]`
const arrayOffsets = [0, 8, 0x48, 0x50, 0x54]

function arrayMemory(): BuiltMemory {
  const memory = new BuiltMemory().u64(0x1010, 0x2000n).u64(0x1018, 0x8000n)
  const slots = [rom, dying, low]
  slots.forEach((slot, i) => {
    writeSlot(memory, 0x2410 + i * 88, slot, arrayOffsets)
  })
  // Behind the used ones lies one that was deleted.
  writeSlot(memory, 0x2410 + 3 * 88, { ...low, npages: 0x999 }, arrayOffsets)
  memory.u32(0x240c, 3)
  writeSlot(memory, 0x8410, smram, arrayOffsets)
  return memory.u32(0x840c, 1)
}

for (const [name, length] of [
  ['an open array (5.7 to 5.16)', 0],
  ['a fixed array (4.2 to 5.6)', 512],
] as const) {
  describe(`memslots in ${name}`, () => {
    const types = builtTypes(arrayText(length))

    it('are those in use, in the order of their gfn', () => {
      assert.deepEqual(shown(memslotsOf(types, arrayMemory()).of(KVM)), wanted)
    })

    for (const used of [-1, 40000]) {
      it(`stop when ${used} are said to be in use`, () => {
        const memory = arrayMemory().u32(0x240c, used >>> 0)
        assert.throws(() => memslotsOf(types, memory).of(KVM), CorruptError)
      })
    }
  })
}

describe('memslots of a kernel that keeps them otherwise', () => {
  it('are refused by name', () => {
    const types = builtTypes('struct kvm 64\n 0x10 memslots ptr')
    assert.throws(() => memslotsOf(types, new BuiltMemory()), UnsupportedError)
  })
})
