// SPDX-License-Identifier: GPL-2.0-or-later
// Who listens hears of work from its beginning to its end, whatever the end is.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { onProgress, openDump, type Work } from '../../core/index.ts'
import { withProgress } from '../../core/progress.ts'
import { realDump } from '../place.ts'

describe('progress of the library', () => {
  const heard: (string | number | Work)[] = []
  let end = (): void => undefined
  before(() => {
    end = onProgress((work) => {
      heard.push(work)
      return {
        advance: (count) => heard.push(count),
        finish: () => heard.push('finished'),
        stop: () => heard.push('stopped'),
      }
    })
  })
  after(() => {
    end()
  })

  it('is told of work that succeeds and of work that throws', () => {
    const work = { label: 'reading', unit: 'pages' }
    const result = withProgress(work, (advance) => {
      advance(3)
      return 'value'
    })
    assert.equal(result, 'value')
    assert.throws(() =>
      withProgress(work, () => {
        throw new Error('broken')
      }),
    )
    assert.deepEqual(heard.splice(0), [work, 3, 'finished', work, 'stopped'])
  })

  const { path, skip } = realDump('6.12')
  it('counts every page of a guest once', { skip }, () => {
    const dump = openDump(path)
    const [vm] = dump.vms
    assert.ok(vm)
    vm.coverage()
    const [work, ...steps] = heard.splice(0)
    const pages = vm.memslots
      .filter(({ addressSpace }) => addressSpace === 0)
      .reduce((sum, { npages }) => sum + npages, 0)
    assert.deepEqual(work, {
      label: `counting ${vm.name ?? ''}`,
      unit: 'pages',
      total: pages,
    })
    assert.equal(steps.pop(), 'finished')
    assert.equal(
      steps.reduce((sum: number, count) => sum + Number(count), 0),
      pages,
    )
    dump.close()
  })

  it('is told nothing after it has stopped listening', () => {
    end()
    withProgress({ label: 'reading', unit: 'pages' }, (advance) => {
      advance(1)
    })
    assert.deepEqual(heard, [])
  })
})
