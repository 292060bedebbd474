// SPDX-License-Identifier: GPL-2.0-or-later
// Bulk translation of every page of every guest of the real dumps, against pagemaps and single translations.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  allPages,
  gpaToHva,
  type HostDump,
  hvaToHpa,
  NO_ADDRESS,
  openDump,
  stateNames,
  type Vm,
} from '../../../core/index.ts'
import { kernels, realDump } from '../../place.ts'
import { pagemapOf, truthOf } from '../../truth.ts'
import { bulk, checkRow, checkSame, ways } from './compare.ts'

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`every page of the guests of ${kernel}, in bulk,`, { skip }, () => {
    let dump: HostDump
    const guests: { vm: Vm; gpas: BigUint64Array; entries: Uint32Array }[] = []
    before(() => {
      dump = openDump(path)
      const pagemap = pagemapOf(kernel)
      for (const { pid, memslots } of truthOf(kernel).vms) {
        const [vm] = dump.task(pid).vms
        assert.ok(vm)
        const slots = memslots.filter((slot) => slot.address_space === 0)
        const gpas = slots.flatMap(({ gpa, pages }) =>
          Array.from({ length: pages }, (_, i) => BigInt(parseInt(gpa) + i * 4096)),
        )
        // The pagemap has no place inside of a page: each address gets one of its own.
        const inPage = gpas.map((gpa, i) => gpa + BigInt((i * 7) % 4096))
        const entries = slots.flatMap(({ pages, pagemap_bin_offset }) =>
          Array.from({ length: pages }, (_, i) => pagemap_bin_offset / 8 + i),
        )
        const words = Uint32Array.from(
          entries.flatMap((at) => [pagemap[2 * at] ?? 0, pagemap[2 * at + 1] ?? 0]),
        )
        guests.push({ vm, gpas: BigUint64Array.from(inPage), entries: words })
      }
    })
    after(() => {
      dump.close()
    })

    it('agrees with the pagemap', () => {
      for (const { vm, gpas, entries } of guests) checkPagemap(vm, gpas, entries)
    })

    it('agrees with single translations', () => {
      for (const { vm, gpas } of guests) {
        const table = bulk(vm, gpas)
        for (let i = 0; i < gpas.length; i++) checkRow(vm, table, i)
      }
    })

    it('is what allPages gives, from the memslots alone', () => {
      for (const { vm, gpas } of guests) {
        checkSame(allPages(vm), bulk(vm, gpas.map((gpa) => (gpa >> 12n) << 12n).sort()))
      }
    })

    it('gives the same columns in every way, and in any order', () => {
      for (const { vm, gpas } of guests) {
        const table = bulk(vm, gpas)
        const order = shuffled(gpas.length)
        const mixed = gpas.map((_, i) => gpas[order[i] ?? 0] ?? 0n)
        for (const way of ways) {
          checkSame(bulk(vm, gpas, way), table)
          checkSame(bulk(vm, mixed, way).sort('gpa'), table.sort('gpa'))
        }
      }
    })

    it('gives the same in two steps', () => {
      for (const { vm, gpas } of guests) {
        const { hva, hpa, state } = bulk(vm, gpas)
        const steps = gpaToHva(vm, gpas)
        assert.deepEqual(Buffer.from(steps.buffer), Buffer.from(hva.buffer))
        const hpas = hvaToHpa(vm, steps)
        // Of those that are not mapped the table tells the old frame; the page walk alone has none.
        const wanted = hpa.map((one, i) =>
          stateNames[state[i] ?? 0] === 'mapped' ? one : NO_ADDRESS,
        )
        assert.deepEqual(Buffer.from(hpas.buffer), Buffer.from(wanted.buffer))
      }
    })
  })
}

function checkPagemap(vm: Vm, gpas: BigUint64Array, entries: Uint32Array): void {
  const table = bulk(vm, gpas)
  const { hpa, state } = table
  for (let i = 0; i < gpas.length; i++) {
    const low = entries[2 * i] ?? 0
    const high = entries[2 * i + 1] ?? 0
    const where = `gpa 0x${(gpas[i] ?? 0n).toString(16)}`
    const name = stateNames[state[i] ?? 0]
    if (high >>> 31 === 1) {
      // Bits 0 to 54 are the frame number.
      const frame = BigInt((high & 0x7fffff) * 2 ** 32 + low)
      assert.equal(name, 'mapped', where)
      assert.equal(hpa[i], frame * 4096n + BigInt((i * 7) % 4096), where)
    } else if (((high >>> 30) & 1) === 1) {
      assert.ok(name !== undefined && name !== 'mapped' && name !== 'unmapped', where)
      if (name !== 'swapped') continue
      // Bits 0 to 4 are the type, 5 to 54 the offset.
      const offset = (high & 0x7fffff) * 2 ** 27 + (low >>> 5)
      assert.deepEqual(table.swapOf(i), { type: low & 0x1f, offset }, where)
    } else {
      assert.equal(name, 'unmapped', where)
    }
  }
}

/** An order that jumps about, the same in every run. */
function shuffled(length: number): Uint32Array {
  const order = Uint32Array.from({ length }, (_, i) => i)
  let seed = 1
  for (let i = length - 1; i > 0; i--) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    const j = seed % (i + 1)
    const kept = order[i] ?? 0
    order[i] = order[j] ?? 0
    order[j] = kept
  }
  return order
}
