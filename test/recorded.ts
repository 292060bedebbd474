// SPDX-License-Identifier: GPL-2.0-or-later
// Translations against what was recorded on the host: single ones with all that is known, and whole pagemaps.

import assert from 'node:assert/strict'
import { type HostDump, qemuVtop, type Translation, type Vm } from '../core/index.ts'
import { stateOf, type TrueTranslation, type TrueVm } from './truth.ts'

/** Compares a translation with the recorded one: hva, slot, state, hpa, swap device and offset. */
export function checkTranslation(given: Translation, wanted: TrueTranslation) {
  const where = `${wanted.gpa} (${wanted.kind ?? wanted.state}): ${given.reason}`
  assert.equal(given.hva, wanted.hva === undefined ? null : BigInt(wanted.hva), where)
  assert.equal(given.slot?.id, wanted.slot, where)
  assert.equal(given.state, stateOf[wanted.state], where)
  assert.equal(given.hpa, wanted.hpa === undefined ? null : parseInt(wanted.hpa), where)
  if (wanted.state === 'swapped') {
    assert.equal(given.swap?.type, wanted.swap_type, where)
    assert.equal(given.swap?.offset, wanted.swap_offset, where)
    assert.equal(`swap:${given.swap?.path ?? ''}`, wanted.kind, where)
  }
  if (wanted.uffd_wp === true && wanted.state === 'special') {
    assert.match(given.reason, /uffd-wp/, where)
  }
}

/**
 * Compares every entry of the recorded pagemaps of all memslots with the translation of its page, and checks that no
 * entry belongs to none. Gives the number of entries.
 */
export function checkPagemaps(
  dump: HostDump,
  truth: { readonly vms: readonly Pick<TrueVm, 'pid' | 'memslots'>[] },
  pagemap: Uint32Array,
): number {
  const checked = new Set<number>()
  for (const { pid, memslots } of truth.vms) {
    const [vm] = dump.task(pid).vms
    assert.ok(vm)
    for (const slot of memslots) {
      const first = slot.pagemap_bin_offset / 8
      for (let page = 0; page < slot.pages; page++) checked.add(first + page)
      if (slot.address_space === 0) checkSlot(vm, parseInt(slot.gpa), slot.pages, pagemap, first)
    }
  }
  // Nothing of the record was left out.
  assert.equal(checked.size, pagemap.length / 2)
  return checked.size
}

/** Compares each page of a slot with the pagemap: present with its frame, swapped with type and offset, or nothing. */
function checkSlot(vm: Vm, gpa: number, pages: number, pagemap: Uint32Array, first: number) {
  for (let page = 0; page < pages; page++) {
    const low = pagemap[2 * (first + page)] ?? 0
    const high = pagemap[2 * (first + page) + 1] ?? 0
    const given = qemuVtop(vm, gpa + page * 4096)
    const isPresent = high >>> 31 === 1
    const isSwapped = ((high >>> 30) & 1) === 1
    const where = `gpa 0x${(gpa + page * 4096).toString(16)}: ${given.state}, ${given.reason}`
    if (isPresent) {
      // Bits 0 to 54 are the frame number.
      const pfn = (high & 0x7fffff) * 2 ** 32 + low
      assert.ok(given.state === 'mapped' && given.hpa === pfn * 4096, where)
    } else if (isSwapped) {
      // Bits 0 to 4 are the type, 5 to 54 the offset; special types look like swap.
      const type = low & 0x1f
      const offset = (high & 0x7fffff) * 2 ** 27 + (low >>> 5)
      const step = given.walk?.steps.at(-1)
      assert.ok(step?.kind === 'swap', where)
      const entry = vm.linux.swap.format.decode(
        Number(step.value & 0xffffffffn),
        Number(step.value >> 32n),
      )
      assert.ok(entry.kind !== 'untold' && entry.type === type && entry.offset === offset, where)
      assert.ok(['swapped', 'poisoned', 'marker', 'migrating'].includes(given.state), where)
      if (given.state === 'swapped') {
        assert.ok(given.swap?.type === type && given.swap.offset === offset, where)
      }
    } else {
      assert.equal(given.state, 'unmapped', where)
    }
  }
}
