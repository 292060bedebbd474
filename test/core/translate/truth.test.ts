// SPDX-License-Identifier: GPL-2.0-or-later
// Every recorded translation and every recorded pagemap entry of the real dumps, none left out.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  type HostDump,
  openDump,
  qemuVtop,
  type Translation,
  type Vm,
} from '../../../core/index.ts'
import { kernels, realDump } from '../../place.ts'
import { pagemapOf, stateOf, truthOf, type TrueTranslation, type TrueVm } from '../../truth.ts'

// With the kernel's own types, and as a kernel without any: found in the dump.
const ways = [
  { name: '', options: {} },
  { name: ' without its types', options: { types: 'inferred' } },
] as const

for (const [kernel, way] of kernels.flatMap((one) => ways.map((way) => [one, way] as const))) {
  const { path, skip } = realDump(kernel)
  describe(`the dump of ${kernel}${way.name}`, { skip }, () => {
    let dump: HostDump
    before(() => {
      dump = openDump(path, way.options)
    })
    after(() => {
      dump.close()
    })

    it('gives every recorded translation', () => {
      let seen = 0
      for (const vm of truthOf(kernel).vms) {
        for (const wanted of vm.translations) {
          checkTranslation(qemuVtop(dump.task(vm.pid), wanted.gpa), wanted)
          seen++
        }
      }
      assert.ok(seen > 700)
    })

    it('agrees with every entry of every pagemap', () => {
      const pagemap = pagemapOf(kernel)
      const checked = new Set<number>()
      for (const { pid, memslots } of truthOf(kernel).vms) {
        const [vm] = dump.task(pid).vms
        assert.ok(vm)
        for (const slot of memslots) {
          const first = slot.pagemap_bin_offset / 8
          for (let page = 0; page < slot.pages; page++) checked.add(first + page)
          if (slot.address_space === 0)
            checkSlot(vm, parseInt(slot.gpa), slot.pages, pagemap, first)
        }
      }
      // Nothing of the record was left out.
      assert.equal(checked.size, pagemap.length / 2)
    })

    it('finds the copy in the swap cache of every page on a disk, and none of a page in zram', () => {
      const wanted = { '5.10': 2596, '6.12': 3929, '7.3': 3058 }
      assert.equal(checkSwapCache(dump), wanted[kernel])
    })

    // The other two were filtered at a dump level that leaves out the pages of guests.
    if (kernel === '6.12') {
      it('finds what the guest wrote at the hpa of every page that it wrote', () => {
        for (const vm of truthOf(kernel).vms) checkContents(dump, vm)
      })
    }
  })
}

function checkTranslation(given: Translation, wanted: TrueTranslation) {
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

/**
 * Counts the swapped pages that are still in memory. The kernel marks such a frame (PG_swapcache); where the dump keeps
 * it, the frame holds the gpa that was asked for.
 */
function checkSwapCache(dump: HostDump): number {
  let cached = 0
  for (const { vm, gpa } of allPages(dump)) {
    const { swap } = qemuVtop(vm, gpa)
    if (swap === null) continue
    const where = `0x${gpa.toString(16)} on ${swap.path ?? ''}`
    assert.equal(swap.cachedAt !== null, swap.path !== '/dev/zram0', where)
    if (swap.cachedAt === null) continue
    cached++
    const pfn = swap.cachedAt / 4096
    assert.ok(vm.linux.pages.find(pfn)?.flags.includes('swapcache'), where)
    const page = dump.memory.tryPage(pfn)
    if (!(page instanceof Uint8Array)) continue
    assert.equal(new BigUint64Array(page.slice(16, 24).buffer)[0], BigInt(gpa), where)
  }
  return cached
}

function* allPages(dump: HostDump): Generator<{ vm: Vm; gpa: number }> {
  for (const vm of dump.vms) {
    for (const slot of vm.memslots.filter(({ addressSpace }) => addressSpace === 0)) {
      for (let gpa = slot.gpa; gpa < slot.gpa + slot.size; gpa += 4096) yield { vm, gpa }
    }
  }
}

/**
 * The guests wrote a page's own gpa into it: at bytes 0, 8, 16 and 24 a mark, the guest's id, the gpa, and ~gpa. Looks
 * at all recorded pages of that kind, and then at every page of the guest: one with the mark must hold its own gpa.
 */
function checkContents(dump: HostDump, { pid, vmid, name, translations, content_check }: TrueVm) {
  const [vm] = dump.task(pid).vms
  assert.ok(vm)
  const ownGpa = (gpa: number): boolean | undefined => {
    const { hpa } = qemuVtop(vm, gpa)
    const page = hpa === null ? undefined : dump.memory.tryPage(Math.floor(hpa / 4096))
    if (!(page instanceof Uint8Array)) return undefined
    const words = new BigUint64Array(page.slice(0, 32).buffer)
    if (words[0] !== 0x3145474150565451n || words[1] !== BigInt(vmid)) return undefined
    return words[2] === BigInt(gpa) && words[3] === BigInt.asUintN(64, ~BigInt(gpa))
  }
  for (const { gpa, content_in_dump } of translations) {
    if (content_in_dump === 'pattern')
      assert.equal(ownGpa(parseInt(gpa) - (parseInt(gpa) % 4096)), true, `${name} ${gpa}`)
  }
  let seen = 0
  for (const { gpa } of [...allPages(dump)].filter((page) => page.vm === vm)) {
    const isOwn = ownGpa(gpa)
    assert.notEqual(isOwn, false, `${name} 0x${gpa.toString(16)}`)
    if (isOwn === true) seen++
  }
  const wrote = Object.entries(content_check).filter(([kind]) => kind.endsWith('/ pattern'))
  assert.equal(
    seen,
    wrote.reduce((sum, [, count]) => sum + count, 0),
  )
}
