// SPDX-License-Identifier: GPL-2.0-or-later
// The chart of a comparison as data: what the two sides are called, what their bars hold, and what changed.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compare, type Comparison, openDump, viewOf, type Vm } from '../../../core/index.ts'
import { changes } from '../../../core/compare/comparison.ts'
import { changeBarsOf } from '../../../core/view/changebars.ts'
import { sidesOf } from '../../../core/view/sides.ts'
import { realDump } from '../../place.ts'

const GIB = 2 ** 18
const MIB = 256

/** As much of a virtual machine as its name needs. */
function vm(name: string | null, path: string | null, pid = 7): Vm {
  return { name, task: { pid }, linux: { host: { memory: { path } } } } as unknown as Vm
}

type States = Comparison['states']

function comparison(states: States, counts: Partial<Comparison['counts']> = {}): Comparison {
  const none = Object.fromEntries(changes.map((change) => [change, 0]))
  return {
    vms: [vm('web01', 'dumps/vmcore.0931'), vm('web01', 'dumps/vmcore.1044')],
    pages: 1,
    counts: { ...none, ...counts } as Comparison['counts'],
    states,
    changed: [],
    isCut: false,
  }
}

describe('the sides of a comparison', () => {
  const linux = { host: { memory: { path: 'vmcore' } } }
  const inOne = (name: string, pid: number) => ({ name, task: { pid }, linux }) as unknown as Vm
  const web = inOne('web01', 7)
  const cases: [title: string, vms: [Vm, Vm], names: [string, string], both: string][] = [
    [
      'of one guest in two dumps have the names of the files',
      [vm('web01', '/var/crash/a/vmcore.0931'), vm('web01', '/var/crash/b/vmcore.1044', 9)],
      ['A vmcore.0931', 'B vmcore.1044'],
      'web01 in vmcore.0931 and vmcore.1044',
    ],
    [
      'have as much of the folders as tells two files of one name apart',
      [vm('web01', '/var/crash/first/x/vmcore'), vm('web01', '/var/crash/second/x/vmcore')],
      ['A first/x/vmcore', 'B second/x/vmcore'],
      'web01 in first/x/vmcore and second/x/vmcore',
    ],
    [
      'have a folder when the other path has none',
      [vm('web01', 'vmcore'), vm('web01', 'new/vmcore')],
      ['A vmcore', 'B new/vmcore'],
      'web01 in vmcore and new/vmcore',
    ],
    [
      'of two guests in one dump have their names',
      [web, inOne('db02', 8)],
      ['A web01', 'B db02'],
      'web01 and db02',
    ],
    [
      'of two guests of one name have their processes too',
      [web, inOne('web01', 8)],
      ['A web01, pid 7', 'B web01, pid 8'],
      'web01, pid 7 and web01, pid 8',
    ],
    [
      'of guests without a name have their processes',
      [vm(null, null, 5), vm(null, null, 6)],
      ['A pid 5', 'B pid 6'],
      'pid 5 and pid 6',
    ],
    ['of a guest and itself are told apart', [web, web], ['A web01', 'B web01'], 'web01 and web01'],
    [
      'have files and guests when both differ',
      [vm('web01', 'vmcore.0931'), vm('db02', 'vmcore.1044')],
      ['A vmcore.0931 web01', 'B vmcore.1044 db02'],
      'web01 in vmcore.0931 and db02 in vmcore.1044',
    ],
  ]
  for (const [title, vms, names, both] of cases) {
    it(title, () => {
      assert.deepEqual(sidesOf({ vms }), { names, both })
    })
  }

  it('have no letters that turn or break a line, and no name that fills a page', () => {
    const hostile = vm(
      `\u202e"><script>${'x'.repeat(3000)}\n`,
      `dir/vm\u0007core${'y'.repeat(3000)}`,
    )
    const { names, both } = sidesOf({ vms: [hostile, vm('b', 'vmcore')] })
    for (const text of [...names, both]) assert.doesNotMatch(text, /[\p{Cc}\u202e]/u)
    assert.ok(names[0].length < 60 && both.length < 240, `${names[0].length} ${both.length}`)
  })
})

describe('the chart of a comparison', () => {
  const states: States = [
    { state: 'mapped', pageSize: 2 ** 30, pages: [2 * GIB, 2 * GIB] },
    { state: 'mapped', pageSize: 2 ** 21, pages: [4 * GIB, 1.4 * GIB] },
    { state: 'mapped', pageSize: 4096, pages: [0, 2.19 * GIB] },
    { state: 'swapped', pageSize: null, pages: [1.1 * GIB, 1.1 * GIB - 1] },
    { state: 'migrating', pageSize: null, pages: [0, 1] },
    { state: 'marker', pageSize: null, pages: [0, 0.25 * GIB] },
    { state: 'unmapped', pageSize: null, pages: [1 * GIB, 0.25 * GIB] },
    { state: 'no-slot', pageSize: null, pages: [0, 3 * GIB] },
    { state: 'not-in-dump', pageSize: null, pages: [0, 3] },
  ]
  const chart = changeBarsOf(comparison(states, { same: 5, moved: 12_345, 'swapped out': 2 }))

  it('has one axis for both bars, which are as long as the guest was large', () => {
    assert.equal(chart.unit, 'GiB')
    const [a = [], b = []] = ['A vmcore.0931', 'B vmcore.1044'].map((side) =>
      chart.pieces.filter((piece) => piece.side === side).map(({ from, to }) => [from, to]),
    )
    assert.deepEqual(a, [
      [0, 2],
      [2, 6],
      [6, 7.1],
      [7.1, 8.1],
    ])
    assert.deepEqual(b.slice(0, 3), [
      [0, 2],
      [2, 3.4],
      [3.4, 5.59],
    ])
    assert.deepEqual(b.at(-1), [7.19, 7.19])
  })

  it('writes every change with its sign, in the order of the palette', () => {
    assert.deepEqual(
      chart.changes.map(({ tone, label }) => [tone, label]),
      [
        ['mapped 1G', '0'],
        ['mapped 2M', '\u22122.60'],
        ['mapped 4K', '+2.19'],
        ['swapped', '0'],
        ['not touched', '\u22120.50'],
        // Less than the last digit is not nothing.
        ['not in dump', '+12 KiB'],
      ],
    )
    assert.deepEqual(
      chart.tones,
      chart.changes.map(({ tone }) => tone),
    )
  })

  it('says how many pages moved, which no state tells', () => {
    assert.equal(chart.subtitle, 'pages: moved 12,345; swapped out 2')
    assert.equal(changeBarsOf(comparison(states, { same: 5 })).subtitle, 'no page differs')
  })

  it('has the same numbers as text, in ASCII and 80 columns', () => {
    for (const wanted of [
      /mapped 2M +4 GiB +1.40 GiB +-2.60 GiB/,
      /not in dump +0 bytes +12 KiB/,
    ]) {
      assert.match(chart.text, wanted)
    }
    const long = changeBarsOf({
      ...comparison(states),
      vms: [vm('a'.repeat(90), 'b'.repeat(90)), vm('c'.repeat(90), `d${'e'.repeat(90)}`)],
    })
    for (const { text } of [chart, long]) {
      assert.match(text, /^[ -~\n]*$/)
      for (const line of text.split('\n')) assert.ok(line.length <= 80, line)
    }
    assert.equal(long.title, 'A and B: memory by state')
  })

  it('has a bar without length for a side that has no memory', () => {
    const { pieces, unit } = changeBarsOf(
      comparison([{ state: 'mapped', pageSize: 4096, pages: [0, 3 * MIB] }]),
    )
    assert.equal(unit, 'MiB')
    assert.deepEqual(
      pieces.map(({ from, to }) => [from, to]),
      [
        [0, 0],
        [0, 3],
      ],
    )
  })

  const { path, skip } = realDump('6.12')
  it('of two guests of a real dump has all of their memory', { skip }, () => {
    const dump = openDump(path)
    const [first, second] = dump.vms
    assert.ok(first && second)
    const two = compare(first, second)
    const [drawn] = viewOf(two)?.charts ?? []
    assert.ok(drawn?.chart === 'change-bars' && drawn.unit === 'GiB')
    for (const vm of [first, second]) {
      const bytes = vm.memslots
        .filter(({ addressSpace }) => addressSpace === 0)
        .reduce((sum, { size }) => sum + size, 0)
      const bar = drawn.pieces.filter(({ side }) => side.endsWith(` ${vm.name ?? ''}`))
      assert.ok(Math.abs((bar.at(-1)?.to ?? 0) - bytes / 2 ** 30) < 0.001, vm.name ?? '')
    }
    dump.close()
  })
})
