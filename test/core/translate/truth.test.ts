// SPDX-License-Identifier: GPL-2.0-or-later
// Every recorded translation and every recorded pagemap entry of the real dumps, none left out.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type HostDump, openDump, qemuVtop, type Vm } from '../../../core/index.ts'
import { kernels, realDump } from '../../place.ts'
import { checkPagemaps, checkTranslation } from '../../recorded.ts'
import { pagemapOf, truthOf, type TrueVm } from '../../truth.ts'

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
      checkPagemaps(dump, truthOf(kernel), pagemapOf(kernel))
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
