// SPDX-License-Identifier: GPL-2.0-or-later
// The dump of 7.3 as makedumpfile 1.7.8 leaves it: what is diagnosed, what is got back, and what is said to be missing.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  type HostDump,
  type Memslot,
  openDump,
  qemuVtop,
  type Translation,
  viewOf,
  type Vm,
} from '../../../core/index.ts'
import { readPfns, writeWithoutPages } from '../../build/lostpages.ts'
import { realDump } from '../../place.ts'
import { truthOf, type TrueMemslot, type TrueVm } from '../../truth.ts'

const { folder, path, skip } = realDump('7.3')

describe('a dump of 7.3 that makedumpfile 1.7.8 filtered', { skip }, () => {
  const temporary = mkdtempSync(join(tmpdir(), 'lost-pages-'))
  const lost = skip === false ? readPfns(join(folder, 'lost-pfns.txt')) : new Set<number>()
  let dump: HostDump
  let vms: readonly TrueVm[]
  before(() => {
    const damaged = join(temporary, 'vmcore')
    writeWithoutPages(path, damaged, lost)
    dump = openDump(damaged)
    vms = truthOf('7.3').vms
  })
  after(() => {
    dump.close()
    rmSync(temporary, { recursive: true })
  })
  const vmOf = ({ pid }: TrueVm): Vm => {
    const [vm] = dump.task(pid).vms
    assert.ok(vm)
    return vm
  }

  it('has all virtual machines', () => {
    assert.deepEqual(dump.vms.map((vm) => vm.task?.pid).sort(), vms.map(({ pid }) => pid).sort())
    assert.deepEqual(dump.vms.lost, [])
  })

  it('gives 20 of the 24 memslots of address space 0, and tells of the other four', () => {
    let found = 0
    for (const truth of vms) {
      const { memslots } = vmOf(truth)
      for (const slot of memslots) {
        assert.ok(
          isTrue(slot, truth.memslots),
          `gpa 0x${slot.gpa.toString(16)}: ${slot.salvaged ?? ''}`,
        )
        if (slot.addressSpace === 0) found++
      }
      const wanted = truth.memslots.filter((slot) => slot.address_space === 0).length
      const here = memslots.filter((slot) => slot.addressSpace === 0).length
      const missing = memslots.lost.filter((slot) => slot.addressSpace === 0)
      assert.equal(missing.length, wanted - here)
      for (const { reason } of missing) assert.match(reason, /makedumpfile 1\.7\.8 or older/)
      assert.equal(memslots.isWhole, missing.length === 0)
    }
    assert.equal(found, 20)
  })

  it('marks each memslot whose own page or whose way is missing', () => {
    const healthy = openDump(path)
    for (const { pid } of vms) {
      const whole = healthy.task(pid).vms[0]?.memslots ?? []
      for (const slot of dump.task(pid).vms[0]?.memslots ?? []) {
        const true1 = whole.find(
          (one) => one.gpa === slot.gpa && one.addressSpace === slot.addressSpace,
        )
        assert.ok(true1)
        const hpa = healthy.host.space.physical(true1.address)
        if (lost.has(Math.floor(hpa / 4096))) assert.ok(slot.salvaged !== undefined)
        else assert.equal(slot.address, true1.address)
      }
      assert.ok(whole.every((slot) => slot.salvaged === undefined))
    }
    healthy.close()
  })

  it('gives every recorded translation in those memslots, marked; others say what is missing', () => {
    let right = 0
    let unknown = 0
    for (const truth of vms) {
      for (const wanted of truth.translations) {
        const given = qemuVtop(dump.task(truth.pid), wanted.gpa)
        const where = `${truth.name} ${wanted.gpa}: ${given.reason}`
        if (given.state === 'not-in-dump') {
          assert.match(
            given.reason,
            /no memslot that could be read .* makedumpfile 1\.7\.8 or older/,
            where,
          )
          unknown++
          continue
        }
        assert.equal(given.hva, wanted.hva === undefined ? null : BigInt(wanted.hva), where)
        assert.equal(given.hpa, wanted.hpa === undefined ? null : parseInt(wanted.hpa), where)
        if (given.slot === null) assert.equal(wanted.state, 'no-memslot')
        else if (given.slot.id >= 0) assert.equal(given.slot.id, wanted.slot)
        if (wanted.state === 'swapped') checkSwap(given, wanted)
        if (given.slot?.salvaged !== undefined) {
          assert.ok(given.salvaged.some((text) => text.includes(given.slot?.salvaged ?? '-')))
        }
        right++
      }
    }
    // Addresses in the four lost memslots, and in no memslot where some are lost.
    const all = vms.flatMap(({ translations }) => translations).length
    assert.equal(right + unknown, all)
    assert.ok(unknown < all / 2 && right > 400, `${right} of ${all}`)
  })

  it('says so in text, JSON, blocks, and in the coverage', () => {
    const truth = vms.find(({ pid }) => pid === 128)
    assert.ok(truth)
    const vm = vmOf(truth)
    const answer = qemuVtop(vm, 0xc4000)
    assert.match(String(answer), /\n {2}SALVAGED {2}/)
    assert.equal(answer.toJSON().salvaged?.length, answer.salvaged.length)
    assert.ok(answer.salvaged.length > 0)
    assert.match(JSON.stringify(viewOf(answer)?.blocks), /salvaged: memslot/)
    assert.match(viewOf(vm)?.text ?? '', /2\s+more\s+of\s+address\s+space\s+0\s+cannot\s+be\s+read/)
    assert.match(viewOf(vm)?.text ?? '', /salvaged: slot /)
    const shares = vm.coverage()
    assert.equal(shares.lost.length, 2)
    assert.match(viewOf(shares)?.text ?? '', /\(salvaged\)/)
    assert.match(
      viewOf(shares)?.text ?? '',
      /2\s+more\s+of\s+address\s+space\s+0\s+cannot\s+be\s+read/,
    )
  })

  it('keeps the swap devices that are there, and names those that are not', () => {
    assert.deepEqual(
      [...dump.swaps, ...dump.swaps.lost].map(({ type }) => type).sort(),
      truthOf('7.3').swaps.map(({ type }) => type),
    )
    for (const device of dump.swaps) assert.match(device.path, /(\/dev\/|…\/)zram0$/)
    for (const { fault } of dump.swaps.lost) assert.match(fault.message, /1\.7\.8 or older/)
  })
})

function isTrue(slot: Memslot, wanted: readonly TrueMemslot[]): boolean {
  return wanted.some(
    (one) =>
      one.address_space === slot.addressSpace &&
      parseInt(one.gpa) === slot.gpa &&
      parseInt(one.size) === slot.size &&
      BigInt(one.hva) === slot.hva &&
      one.flags === slot.flagBits &&
      (slot.id === one.slot || (slot.id === -1 && slot.salvaged !== undefined)),
  )
}

function checkSwap(given: Translation, wanted: TrueVm['translations'][number]): void {
  assert.equal(given.state, 'swapped')
  assert.deepEqual([given.swap?.type, given.swap?.offset], [wanted.swap_type, wanted.swap_offset])
  const path = given.swap?.path ?? null
  if (path === null) assert.match(given.reason, /makedumpfile 1\.7\.8 or older/)
  else assert.ok(`swap:${path}` === wanted.kind || wanted.kind?.endsWith(path.slice(1)) === true)
}
