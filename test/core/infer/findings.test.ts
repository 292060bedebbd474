// SPDX-License-Identifier: GPL-2.0-or-later
// How one place is chosen among several, and what is said when none is.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { count, type Candidate, Findings, Refused } from '../../../core/infer/findings.ts'

const rule = { of: 'tasks', evidence: 'it is so', tolerance: 0.05 }

function chosen(candidates: Candidate[], more = {}): number {
  return new Findings().choose('task_struct.pid', 's32', candidates, { ...rule, ...more })
}

describe('a choice among places', () => {
  it('takes the only one that fits', () => {
    const none = { offset: 16, agreed: 3, against: 97 }
    assert.equal(chosen([none, { offset: 8, agreed: 98, against: 2 }]), 8)
  })

  it('takes the one without contradictions before one with some', () => {
    const most = { offset: 16, agreed: 99, against: 1 }
    assert.equal(chosen([most, { offset: 8, agreed: 100, against: 0 }]), 8)
  })

  it('refuses two that fit alike, with their counts', () => {
    const two = [16, 8].map((offset) => ({ offset, agreed: 100, against: 0 }))
    assert.throws(() => chosen(two), {
      name: 'Refused',
      message:
        'task_struct.pid: several places fit (it is so, by tasks): candidates 16 (agreed 100 of 100), 8 (agreed 100 of 100)',
    })
  })

  it('refuses one that few agreed with against one that many agreed with but for some', () => {
    const many = { offset: 16, agreed: 99, against: 1 }
    assert.throws(() => chosen([many, { offset: 8, agreed: 2, against: 0 }]), Refused)
  })

  it('refuses when more contradict than may, with the nearest', () => {
    assert.throws(
      () => chosen([{ offset: 8, agreed: 90, against: 10 }]),
      /no place fits .*90 of 100/,
    )
  })

  it('refuses when nothing was there to agree', () => {
    assert.throws(() => chosen([{ offset: 8, agreed: 0, against: 0 }]), /agreed with anything/)
    assert.throws(() => chosen([{ offset: 8, agreed: 3, against: 0 }], { atLeast: 4 }), Refused)
  })

  it('keeps what was found with its evidence, and what was refused with the reason', () => {
    const findings = new Findings()
    findings.add('file.f_op', 'ptr', { offset: 16, agreed: 7, against: 1 }, rule)
    findings.refuse('file.f_op', 'ptr', 'never mind')
    findings.refuse('kvm.mm', 'ptr', 'no virtual machine was found')
    assert.deepEqual(
      findings.all.map(({ member, offset, evidence }) => [member, offset, evidence]),
      [
        ['file.f_op', 16, 'it is so: agreed 7 of 8 tasks'],
        ['kvm.mm', undefined, 'no virtual machine was found'],
      ],
    )
    assert.equal(findings.at('file.f_op'), 16)
    assert.throws(() => findings.at('kvm.mm'), Refused)
  })
})

describe('a count', () => {
  it('leaves out what says nothing', () => {
    const fit = count(8, [1, 2, undefined, 4], (n) => (n === undefined ? undefined : n % 2 === 0))
    assert.deepEqual(fit, { offset: 8, agreed: 2, against: 1 })
  })

  it('gives up early when most contradict', () => {
    let asked = 0
    count(8, Array<number>(1000).fill(0), () => {
      asked++
      return false
    })
    assert.ok(asked < 20)
  })
})
