// SPDX-License-Identifier: GPL-2.0-or-later
// Swap entries of kernels before L1TF: written as their macros write them, and told apart by the entries alone.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { UnsupportedError } from '../../../../core/errors.ts'
import { swapFormat } from '../../../../core/linux/swap/swapentry.ts'
import { chooseForm, type FormEvidence } from '../../../../core/linux/swap/swapform.ts'
import { parseVmcoreinfo } from '../../../../core/vmcoreinfo/parse.ts'
import { builtTypes } from '../../../build/types.ts'

type Halves = [low: number, high: number]
const halves = (raw: bigint): Halves => [Number(raw & 0xffffffffn), Number(raw >> 32n)]

/** `__swp_entry` of arch/x86/include/asm/pgtable_64.h in each era. */
const eras = [
  {
    name: '2.6.32 to 4.7',
    form: 'type in bits 1 to 5, offset from bit 9',
    write: (type: number, offset: number) => (BigInt(type) << 1n) | (BigInt(offset) << 9n),
    // Worked out by hand: type 3 in bits 1 and 2, and 0x1234 << 9.
    vector: [3, 0x1234, 0x246806n],
  },
  {
    name: '4.8 to 4.17',
    form: 'type in bits 9 to 13, offset from bit 14',
    write: (type: number, offset: number) => (BigInt(type) << 9n) | (BigInt(offset) << 14n),
    vector: [3, 0x1234, 0x48d0600n],
  },
  {
    name: 'RHEL 7.3',
    form: 'type in bits 9 to 13, offset from bit 15',
    write: (type: number, offset: number) => (BigInt(type) << 9n) | (BigInt(offset) << 15n),
    vector: [3, 0x1234, 0x91a0600n],
  },
] as const

const devices = new Map([
  [0, 0x40000],
  [1, 0x8000],
  [3, 0x40000],
])

/** Entries of pages that follow each other on each device, as a host that swaps has them. */
function samplesOf(write: (type: number, offset: number) => bigint, types: readonly number[]) {
  return types.flatMap((type) =>
    Array.from({ length: 40 }, (_, i) => halves(write(type, 0x1000 + 97 * i))),
  )
}

function formatOf(samples: readonly Halves[]) {
  const nothing = { addresses: () => [], find: () => new Map(), near: () => [], names: () => [] }
  return swapFormat(
    {
      rules: { levels: 4, inverts: false, encryptionHigh: 0, uffdWp: false, savedDirty: false },
      vmcoreinfo: parseVmcoreinfo('OSRELEASE=of a test\n'),
      types: builtTypes('enum pageflags\n PG_locked 0\nstruct page 64\n 0x20 index u64'),
      symbols: {
        ...nothing,
        address: () => undefined,
        nearest: () => undefined,
        size: (name) => (name === 'swap_info' ? 29 * 8 : undefined),
      },
    },
    (maxSwapFiles): FormEvidence => ({ samples, devices, maxSwapFiles }),
  )
}

for (const era of eras) {
  describe(`swap entries of ${era.name}`, () => {
    for (const types of [[0], [3], [0, 1, 3]]) {
      it(`are told by the entries of ${types.length === 1 ? `device ${types.join()}` : 'three devices'}`, () => {
        const format = formatOf(samplesOf(era.write, types))
        const [type, offset, raw] = era.vector
        assert.equal(era.write(type, offset), raw)
        assert.deepEqual(format.decode(...halves(raw)), { kind: 'swap', type, offset })
        assert.equal(format.kindOf(...halves(raw)), 'swap')
        assert.ok(format.evidence.includes(era.form), format.evidence)
      })
    }

    it('have special types above the devices', () => {
      const format = formatOf(samplesOf(era.write, [0]))
      const poison = format.decode(...halves(era.write(29, 0xd238)))
      assert.deepEqual(poison, { kind: 'hwpoison', type: 29, offset: 0xd238, pfn: 0xd238 })
      assert.equal(format.decode(...halves(era.write(30, 0x77))).kind, 'migration')
      assert.match(format.reasonFor(29), /room for 29 swap devices by the size of swap_info/)
    })

    it('keep offsets above 32 bits whole', () => {
      const format = formatOf(samplesOf(era.write, [0]))
      const entry = format.decode(...halves(era.write(30, 0x3_1234_5678)))
      assert.ok(entry.kind === 'migration')
      assert.equal(entry.offset, 0x3_1234_5678)
    })
  })
}

describe('the form of old swap entries', () => {
  const choose = (samples: readonly Halves[]) => chooseForm({ samples, devices, maxSwapFiles: 29 })

  it('is refused when too few entries are there', () => {
    const few = samplesOf(eras[1].write, [0]).slice(0, 5)
    assert.throws(() => choose(few), /cannot be told from 5 entries and 3 swap devices: none fits/)
  })

  it('is refused when an entry names a page behind its device', () => {
    const samples = [...samplesOf(eras[1].write, [0]), halves(eras[1].write(1, 0x8000))]
    assert.throws(() => choose(samples), UnsupportedError)
  })

  it('is refused when offsets do not change as those of neighbours do', () => {
    // Each 16th page alone: the lowest bits of the true form stand still, and the others meet types that are not there.
    const samples = Array.from({ length: 64 }, (_, i) => halves(eras[0].write(0, 16 * (i + 1))))
    assert.throws(() => choose(samples), UnsupportedError)
  })

  it('that cannot be told is said of each entry, and nothing throws', () => {
    const format = formatOf(samplesOf(eras[1].write, [0]).slice(0, 5))
    const entry = format.decode(...halves(eras[1].write(0, 7)))
    assert.ok(entry.kind === 'untold')
    assert.match(entry.problem, /cannot be told from 5 entries and 3 swap devices: none fits/)
    assert.equal(format.kindOf(...halves(eras[1].write(0, 7))), 'untold')
  })

  it('is not disturbed by pages of nonlinear mappings', () => {
    const nonlinear = halves((0x55n << 12n) | 0x40n)
    const format = formatOf([...samplesOf(eras[0].write, [0]), nonlinear])
    assert.deepEqual(format.decode(...nonlinear), { kind: 'nonlinear', type: 0, offset: 0x55 })
    assert.equal(format.kindOf(...nonlinear), 'nonlinear')
  })
})
