// SPDX-License-Identifier: GPL-2.0-or-later
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { scan } from '../../../core/paging/scan.ts'
import { walk, type Frames, type PageWalk } from '../../../core/paging/walk.ts'
import { type PagingRules } from '../../../core/paging/x86_64.ts'
import { PhysicalMemory } from '../../../core/space/physical.ts'
import { BuiltMemory } from '../../build/memory.ts'
import { rulesOfToday } from '../../build/pagetable.ts'

const rules = rulesOfToday
const fiveLevels: PagingRules = { ...rules, levels: 5 }

const frames = (memory: BuiltMemory): Frames => new PhysicalMemory(memory)

/** `name index: kind → target`, one a line. */
function shape({ steps }: PageWalk): string {
  return steps
    .map(({ name, index, kind, pointsTo }) => `${name} ${index}: ${kind} ${pointsTo?.toString(16)}`)
    .join('\n')
}

describe('walk', () => {
  it('takes the way of the example that users of crash know', () => {
    const memory = new BuiltMemory().text(`
      @72dbb67f0: 875afa067
      @875afa0c0: 736871067
      @736871328: 8000000611c000e7`)
    const walked = walk(frames(memory), rules, 0x72dbb6000, 0x7f060cbe5840n)
    assert.equal(
      shape(walked),
      'PGD 254: table 875afa000\nPUD 24: table 736871000\nPMD 101: page 611c00000',
    )
    assert.deepEqual(walked.end, {
      kind: 'page',
      hpa: 0x611de5840,
      pageSize: 0x200000,
      protNone: false,
    })
    assert.deepEqual(walked.steps.at(-1)?.flags, [
      'PRESENT',
      'RW',
      'USER',
      'ACCESSED',
      'DIRTY',
      'PSE',
      'NX',
    ])
    assert.equal(walked.steps.at(-1)?.entryAt, 0x736871328)
  })

  it('goes through five levels', () => {
    // 0x00ff… uses bit 55: index 0x1fe at the top.
    const memory = new BuiltMemory().text(`
      @1000: 0*511 2067
      @2000: 3067
      @3000: 4067
      @4000: 5067
      @5000: 8000000000009067`)
    const walked = walk(frames(memory), fiveLevels, 0x1000, 0xfffe_0000_0000_0000n | (1n << 48n))
    assert.deepEqual(
      walked.steps.map((step) => step.name),
      ['PGD', 'P4D', 'PUD', 'PMD', 'PTE'],
    )
    assert.equal(walked.end.kind, 'page')
  })

  it('stops at a page of 1 GiB', () => {
    const memory = new BuiltMemory().text('@1000: 2067\n@2000: 0 80000001000000e7')
    const walked = walk(frames(memory), rules, 0x1000, 0x40000000n + 0x1234567n)
    assert.deepEqual(walked.end, {
      kind: 'page',
      hpa: 0x100000000 + 0x1234567,
      pageSize: 2 ** 30,
      protNone: false,
    })
  })

  // From the vectors of the kernel's own formulas: pfn 0x123456, ACCESSED | PROTNONE | NX.
  const protNone: [string, string, number][] = [
    ['52 bits', '800ffffedcba9120', 0x123456000],
    ['46 bits', '80003ffedcba9120', 0x123456000],
  ]
  for (const [width, entry, hpa] of protNone) {
    it(`turns the inverted frame of a PROT_NONE page back, kernels with ${width}`, () => {
      const memory = new BuiltMemory().text(
        `@1000: 2067\n@2000: 3067\n@3000: 4067\n@4000: ${entry}`,
      )
      const walked = walk(frames(memory), rules, 0x1000, 0x123n)
      assert.deepEqual(walked.end, {
        kind: 'page',
        hpa: hpa + 0x123,
        pageSize: 4096,
        protNone: true,
      })
      assert.deepEqual(walked.steps.at(-1)?.flags, ['ACCESSED', 'PROTNONE', 'NX'])
    })
  }

  it('turns the inverted frame of a huge page back that is not present', () => {
    const memory = new BuiltMemory().text('@1000: 2067\n@2000: 3067\n@3000: 000ffffe3fe001a0')
    const walked = walk(frames(memory), rules, 0x1000, 0n)
    assert.deepEqual(walked.end, {
      kind: 'page',
      hpa: 0x1c0000000,
      pageSize: 0x200000,
      protNone: true,
    })
  })

  it('leaves the frame of a PROT_NONE page alone where the kernel does not invert', () => {
    const memory = new BuiltMemory().text('@1000: 2067\n@2000: 3067\n@3000: 4067\n@4000: 123456120')
    const walked = walk(frames(memory), { ...rules, inverts: false }, 0x1000, 0n)
    assert.equal(walked.end.kind === 'page' && walked.end.hpa, 0x123456000)
  })

  it('takes the memory encryption bit off every entry', () => {
    const memory = new BuiltMemory()
      .u64(0x1000, (1n << 47n) | 0x2067n)
      .u64(0x2000, (1n << 47n) | 0x3067n)
      .u64(0x3000, (1n << 47n) | 0x4067n)
      .u64(0x4000, (1n << 47n) | 0x9067n)
    const walked = walk(frames(memory), { ...rules, encryptionHigh: 1 << 15 }, 0x1000, 0n)
    assert.equal(walked.end.kind === 'page' && walked.end.hpa, 0x9000)
  })

  it('ends at a table that the dump lacks, and says which and why', () => {
    const memory = new BuiltMemory().text('@1000: 2067')
    memory.zero(0x2000).lose(0x2000, { why: 'excluded', detail: 'left out at dump level 31' })
    const { end } = walk(frames(memory), rules, 0x1000, 0n)
    assert.deepEqual(end, {
      kind: 'not-in-dump',
      table: 0x2000,
      missing: { why: 'excluded', detail: 'left out at dump level 31' },
    })
  })

  it('is not kept by a table that points at itself', () => {
    const memory = new BuiltMemory().text('@1000: 1067*512')
    assert.equal(walk(frames(memory), rules, 0x1000, 0n).steps.length, 4)
  })

  it('tells an address that x86-64 cannot have', () => {
    const { end, steps } = walk(frames(new BuiltMemory()), rules, 0x1000, 0x800000000000n)
    assert.equal(end.kind, 'non-canonical')
    assert.equal(steps.length, 0)
  })
})

describe('scan', () => {
  it('sees every page as a walk does', () => {
    const memory = new BuiltMemory().text(`
      @1000: 2067
      @2000: 3067 80000000400000e7
      @3000: 4067 80000000002000e7 5067
      @4000: 8000000000009067 0 800ffffffff00120 7fffffffffffc00
      @5000: a067*512+1000`)
    const entry = fc.record({
      vpn: fc.integer({ min: 0, max: 512 * 520 }),
      count: fc.integer({ min: 1, max: 3000 }),
    })
    fc.assert(
      fc.property(entry, ({ vpn, count }) => {
        let next = vpn
        scan(frames(memory), rules, 0x1000, vpn, count, (at, run, kind, _level, frame) => {
          assert.equal(at, next)
          next += run
          for (const page of [at, at + run - 1]) {
            const { end } = walk(frames(memory), rules, 0x1000, BigInt(page) << 12n)
            const mapped = kind === 'page' || kind === 'prot-none'
            assert.equal(end.kind === 'page', mapped)
            if (end.kind === 'page') assert.equal(end.hpa, (frame + page - at) * 4096)
          }
        })
        assert.equal(next, vpn + count)
      }),
      { numRuns: 60 },
    )
  })
})
