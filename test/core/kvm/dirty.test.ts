// SPDX-License-Identifier: GPL-2.0-or-later
// What the guest wrote to: bitmaps and rings written for the case, and the screen memory of the real dumps.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openDump } from '../../../core/index.ts'
import { DirtyLog } from '../../../core/kvm/dirty.ts'
import { type Memslot } from '../../../core/kvm/memslots/memslot.ts'
import { kernels, realDump } from '../../place.ts'
import { truthOf } from '../../truth.ts'
import { readCText } from '../../build/ctext.ts'
import { BuiltMemory } from '../../build/memory.ts'
import { FlatSpace } from '../../build/space.ts'

// In the order of include/linux/kvm_host.h, kvm_dirty_ring.h and uapi/linux/kvm.h of 6.12.
const { types } = readCText(`
  struct kvm_memory_slot { unsigned long base_gfn, npages, *dirty_bitmap; };
  struct kvm_dirty_gfn { unsigned int flags, slot; unsigned long offset; };
  struct kvm_dirty_ring {
    unsigned int dirty_index, reset_index, size, soft_limit;
    struct kvm_dirty_gfn *dirty_gfns;
    int index;
  };
  struct kvm_vcpu { int vcpu_id; struct kvm_dirty_ring dirty_ring; };
`)
const [SLOT, BITMAP, VCPU, RING] = [0x1000, 0x2000, 0x3000, 0x4000]

const slot: Memslot = {
  ...{ addressSpace: 1, id: 3, baseGfn: 0x100, npages: 20, gpa: 0x100000, size: 20 * 4096 },
  ...{ hva: 0x7f0000000000n, flags: ['LOG_DIRTY_PAGES'], flagBits: 1, invalid: false },
  address: BigInt(SLOT),
}

/** A slot of 20 frames with this bitmap; `ring` are the indexes and the size of the vCPU's ring. */
function written(bitmap: number | null, ring?: [dirty: number, reset: number, size: number]) {
  const memory = new BuiltMemory().zero(VCPU).zero(RING)
  memory
    .u64(SLOT, 0x100n)
    .u64(SLOT + 8, 20n)
    .u64(SLOT + 16, bitmap === null ? 0n : BigInt(BITMAP))
  if (bitmap !== null) memory.u32(BITMAP, bitmap)
  if (ring === undefined) return memory
  ring.forEach((value, i) => memory.u32(VCPU + 8 + i * 4, value))
  memory.u64(VCPU + 24, BigInt(RING))
  return memory
}

function push(memory: BuiltMemory, at: number, flags: number, place: number, offset: number) {
  memory
    .u32(RING + at * 16, flags)
    .u32(RING + at * 16 + 4, place)
    .u64(RING + at * 16 + 8, BigInt(offset))
}

const vcpus = Object.assign([{ index: 0, address: BigInt(VCPU) }], { lost: [] as string[] })
const read = (memory: BuiltMemory, of = slot) =>
  new DirtyLog({ types, space: new FlatSpace(memory), vmcoreinfo: { release: 'of a test' } }).of(
    of,
    () => vcpus,
  )

describe('the frames of a slot that a guest wrote to', () => {
  it('are the bits of its bitmap, and none behind its end', () => {
    // Bits 0, 8, 9, 19, and two that the slot does not have.
    const dirty = read(written(0x00c80301))
    assert.ok(dirty)
    assert.deepEqual([...dirty], [0x100, 0x108, 0x109, 0x113])
    assert.deepEqual(
      [dirty.size, dirty.has(0x109), dirty.has(0x10a), dirty.has(0x116)],
      [4, true, false, false],
    )
    assert.deepEqual(JSON.parse(JSON.stringify(dirty)), {
      size: 4,
      runs: [
        { gfn: 0x100, npages: 1 },
        { gfn: 0x108, npages: 2 },
        { gfn: 0x113, npages: 1 },
      ],
    })
  })

  it('are not known when KVM does not log it, and none when it does and nothing was written', () => {
    assert.equal(read(written(null)), null)
    assert.deepEqual([...(read(written(0)) ?? assert.fail())], [])
    assert.deepEqual([...(read(written(null, [0, 0, 8])) ?? assert.fail())], [])
    assert.equal(read(written(null, [0, 0, 8]), { ...slot, flagBits: 0 }), null)
  })

  it('are those in the ring that the VMM has not taken, over the end of the ring too', () => {
    const memory = written(null, [10, 5, 8])
    push(memory, 5, 1, 0x10003, 4)
    // Taken; of another slot; of the other address space; beyond the slot.
    push(memory, 6, 3, 0x10003, 5)
    push(memory, 7, 1, 0x10002, 6)
    push(memory, 0, 1, 3, 7)
    push(memory, 1, 1, 0x10003, 19)
    // Not between the two indexes.
    push(memory, 2, 1, 0x10003, 8)
    assert.deepEqual([...(read(memory) ?? assert.fail())], [0x104, 0x113])
  })

  it('are those of both where a bitmap stands beside the rings', () => {
    const memory = written(0x2, [1, 0, 8])
    push(memory, 0, 1, 0x10003, 4)
    assert.deepEqual([...(read(memory) ?? assert.fail())], [0x101, 0x104])
  })

  it('are those of the part of a slot that an alias shows', () => {
    const part = { ...slot, baseGfn: 0xa0, npages: 4, gpa: 0xa0000, aliasOf: 0x107000 }
    assert.deepEqual([...(read(written(0x00080381), part) ?? assert.fail())], [0xa0, 0xa1, 0xa2])
  })

  it('say when a ring is not in the dump', () => {
    const memory = written(0x2, [1, 0, 8]).u64(VCPU + 24, 0x900000n)
    const { size, lost } = read(memory) ?? assert.fail()
    assert.equal(size, 1)
    assert.match(lost.join(), /^the ring of vCPU 0: .*900000/)
  })

  for (const ring of [
    [9, 0, 8],
    [1, 0, 7],
    [1, 0, 0],
    [1, 0, 0x20000],
  ] as [number, number, number][]) {
    it(`stop at a ring whose numbers are ${ring.join(', ')}`, () => {
      assert.throws(
        () => read(written(null, ring)),
        /dirty_ring at 0x3000: holds \d+ of \d+ entries/,
      )
    })
  }
})

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  it(`the slots of ${kernel} that QEMU logs, and no others, have a set`, { skip }, () => {
    const dump = openDump(path)
    try {
      for (const { pid, memslots } of truthOf(kernel).vms) {
        const vm = dump.vm(pid)
        const logged = vm.memslots.filter((slot) => vm.dirtyGfns(slot) !== null)
        const wanted = memslots.filter(({ flags }) => (flags & 1) === 1)
        assert.deepEqual(
          logged.map(({ addressSpace, gpa }) => [addressSpace, gpa]),
          wanted.map(({ address_space, gpa }) => [address_space, parseInt(gpa)]),
        )
        for (const slot of logged) {
          const dirty = vm.dirtyGfns(slot) ?? assert.fail()
          assert.ok(
            [...dirty].every((gfn) => gfn >= slot.baseGfn && gfn < slot.baseGfn + slot.npages),
          )
          assert.deepEqual([dirty.npages, dirty.lost], [slot.npages, []])
        }
      }
    } finally {
      dump.close()
    }
  })

  it(
    `the slots of ${kernel} that QEMU logs have no set, but a reason, where types are inferred`,
    { skip },
    () => {
      const dump = openDump(path, { types: 'inferred' })
      try {
        for (const vm of dump.vms) {
          for (const slot of vm.memslots) {
            if ((slot.flagBits & 1) === 0) assert.equal(vm.dirtyGfns(slot), null)
            else assert.throws(() => vm.dirtyGfns(slot), /no member 'kvm_memory_slot.dirty_bitmap'/)
          }
        }
      } finally {
        dump.close()
      }
    },
  )
}
