// SPDX-License-Identifier: GPL-2.0-or-later
// Frames that the answers rest on are taken away at random: every answer is the truth, or says which page is missing.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { DumpError, qemuVtop, type Translation, type Vm } from '../../../core/index.ts'
import { type PageSource } from '../../../core/dump/format.ts'
import { openPages } from '../../../core/dump/open.ts'
import { RecordingPages } from '../../../core/dump/recording.ts'
import { hostParts } from '../../build/hostparts.ts'
import { withoutPages } from '../../build/lostpages.ts'
import { seededRandom } from '../../build/random.ts'
import { kernels, realDump } from '../../place.ts'
import { stateOf, type TrueTranslation, truthOf, type TrueVm } from '../../truth.ts'

const TRIALS = 8
/** What the missing pages of a trial say of themselves. */
const NAMED = /was taken away/

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`the dump of ${kernel} without some frames that its answers rest on`, { skip }, () => {
    let source: PageSource
    let used: number[]
    let answers = 0
    before(() => {
      source = openPages(path)
      // What opening reads is the kernel's image: without its symbols and types there are no answers to check.
      const opening = new RecordingPages(source)
      assert.ok(hostParts(opening).linux.host.types.has('task_struct'))
      const opened = new Set(opening.pfns)
      const recording = new RecordingPages(source)
      for (const vm of truthOf(kernel).vms) answersOf(recording, vm, 1)
      used = recording.pfns.filter((pfn) => !opened.has(pfn))
    })
    after(() => {
      source.close()
    })

    for (let trial = 0; trial < TRIALS; trial++) {
      it(`tells the truth or which page is missing, trial ${trial}`, () => {
        const random = seededRandom(7919 * trial + Math.round(100 * Number(kernel)))
        const lost = new Set<number>()
        while (lost.size <= trial) lost.add(used[Math.floor(random() * used.length)] ?? 0)
        for (const vm of truthOf(kernel).vms) {
          answers += answersOf(withoutPages(source, lost), vm, 7)
        }
      })
    }

    it('has told the truth most often, all in all', () => {
      const most = truthOf(kernel).vms.flatMap(({ translations }) => translations).length
      assert.ok(answers > (TRIALS * most) / 7 / 3, `${answers} answers`)
    })
  })
}

/** Asks for slots and translations of a virtual machine; the number of answers that were the truth. */
function answersOf(source: PageSource, truth: TrueVm, step: number): number {
  const vm = orNamed(() => hostParts(source).task(truth.pid).vms[0])
  if (vm === undefined) return 0
  orNamed(() => {
    checkSlots(vm, truth)
  })
  let answers = 0
  for (const [i, wanted] of truth.translations.entries()) {
    if (i % step !== 0) continue
    const given = orNamed(() => qemuVtop(vm, wanted.gpa))
    if (given !== undefined && isTruth(given, wanted)) answers++
  }
  return answers
}

/** An error must say which page is missing. */
function orNamed<T>(ask: () => T): T | undefined {
  try {
    return ask()
  } catch (error) {
    assert.ok(error instanceof DumpError, String(error))
    assert.match(error.message, NAMED)
    return undefined
  }
}

function checkSlots(vm: Vm, truth: TrueVm): void {
  const { memslots } = vm
  for (const slot of memslots) {
    const same = truth.memslots.find(
      (wanted) =>
        wanted.address_space === slot.addressSpace &&
        parseInt(wanted.gpa) === slot.gpa &&
        parseInt(wanted.size) === slot.size &&
        BigInt(wanted.hva) === slot.hva &&
        wanted.flags === slot.flagBits,
    )
    assert.ok(
      same,
      `space ${slot.addressSpace} gpa 0x${slot.gpa.toString(16)}: ${slot.salvaged ?? ''}`,
    )
    if (slot.salvaged === undefined || slot.id >= 0) assert.equal(slot.id, same.slot, slot.salvaged)
  }
  // What is not there is told.
  if (memslots.length < truth.memslots.length) assert.ok(memslots.lost.length > 0)
  for (const { reason } of memslots.lost) assert.match(reason, NAMED)
}

function isTruth(given: Translation, wanted: TrueTranslation): boolean {
  const where = `${wanted.gpa}: ${given.state}, ${given.reason}; ${given.salvaged.join('; ')}`
  if (given.state === 'not-in-dump') {
    assert.match(given.reason, NAMED, where)
    assert.equal(given.hpa, null)
    return false
  }
  assert.equal(given.state, stateOf[wanted.state], where)
  assert.equal(given.hva, wanted.hva === undefined ? null : BigInt(wanted.hva), where)
  assert.equal(given.hpa, wanted.hpa === undefined ? null : parseInt(wanted.hpa), where)
  if (wanted.state === 'swapped') {
    assert.equal(given.swap?.type, wanted.swap_type, where)
    assert.equal(given.swap?.offset, wanted.swap_offset, where)
    const path = wanted.kind?.slice('swap:'.length) ?? ''
    const name = given.swap?.path ?? null
    if (name === null) assert.match(given.reason, NAMED, where)
    else assert.ok(name.startsWith('…') ? path.endsWith(name.slice(1)) : path === name, where)
    const isCached = name !== null && !path.includes('zram')
    if (isCached) assert.notEqual(given.swap?.cachedAt, null, where)
  }
  return true
}
