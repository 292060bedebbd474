// SPDX-License-Identifier: GPL-2.0-or-later
// Which value has which view, and that each is complete.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { FaultError } from '../../../core/errors.ts'
import { openDump, qemuVtop } from '../../../core/index.ts'
import { crashText } from '../../../core/translate/crashtext.ts'
import { type Block } from '../../../core/view/block.ts'
import { viewOf } from '../../../core/view/index.ts'
import { show } from '../../../core/view/show.ts'
import { kernels, realDump } from '../../place.ts'
import {
  rawStruct,
  rawStructOf,
  samples,
  seed,
  slotMapInput,
  someDump,
  someTasks,
  someVm,
  vma,
} from './samples.ts'

const slots = slotMapInput.slots.map(({ slot }) => slot)

const someFiles = [
  {
    fd: 11,
    address: 0xffff8c1c83c53f00n,
    operations: 0xffffffff92400000n,
    privateData: 0xffffd36540f19000n,
    path: 'anon_inode:kvm-vm',
  },
  {
    fd: 12,
    address: 0xffff8c1c83c54000n,
    operations: 0xffffffff92400000n,
    privateData: 0n,
    get path(): string {
      throw new FaultError('kernel virtual', 0x1000n, 'excluded', 'left out at dump level 31')
    },
  },
]
const someSwaps = [
  { type: 0, path: '/dev/zram0', kind: 'partition', pages: 24576, usedPages: 2048, priority: 1 },
  { type: 2, path: '/mnt/swapfile', kind: 'file', pages: 12281, usedPages: 0, priority: 3 },
]

const kinds: readonly (readonly [name: string, value: unknown, text: RegExp])[] = [
  ['a translation', seed, /^GUEST PHYSICAL/],
  ['a page walk', seed.walk, /^virtual +physical\n0x7f060cbe5840 +0x611de5840/],
  ['a list of memslots', slots, /^22 memslots, 30\.3 GiB - address space 0/],
  ['one memslot', slots[0], /^1 memslot/],
  ['a VMA', vma, /0x7f05d7e00000/],
  ['a list of VMAs', [vma, vma], /^2 VMAs, 6 GiB/],
  ['a page', seed.page, /^pfn +host physical/],
  ['a task', someTasks[0], /^task 1 qemu-system-x86/],
  ['a list of tasks', someTasks, /^40 tasks/],
  ['a virtual machine', someVm, /^virtual machine A/],
  ['a list of virtual machines', [someVm, someVm], /^2 virtual machines/],
  ['a dump', someDump, /^dump vmcore\n/],
  ['an open file', someFiles[0], /^1 open file\nfd +struct file/],
  ['a list of open files', someFiles, /^2 open files\n[^]*anon_inode:kvm-vm[^]*not readable/],
  ['a swap device', someSwaps[0], /^1 swap device\n/],
  [
    'a list of swap devices',
    someSwaps,
    /^2 swap devices\n[^]*\/dev\/zram0 +partition +96 MiB +8 MiB/,
  ],
  [
    'the coverage of slots',
    slots.slice(0, 1).map((slot) => ({
      slot,
      gpa: slot.gpa,
      bytes: slot.size,
      extents: [],
      shares: [
        { state: 'unmapped', pageSize: null, bytes: slot.size - 4096 },
        { state: 'mapped', pageSize: 4096, bytes: 4096 },
      ],
    })),
    /^1 memslot, [^]*mapped 4K 4 KiB, not touched /,
  ],
  ['a raw structure', rawStruct, /^kvm at 0xffff8806ee500000, 40,904 bytes/],
]
for (const [name, value, text] of kinds) {
  test(`${name} has a view whose text is ASCII`, () => {
    const view = viewOf(value)
    assert.ok(view)
    assert.match(view.text, text)
    assert.match(view.text, /^[ -~\n]*$/)
    assert.ok(view.blocks.length > 0)
  })
}

for (const [name, value] of Object.entries({
  undefined: undefined,
  'a number': 42,
  'an empty list': [],
  'a plain object': { address: 1n, steps: [] },
  'a mixed list': [slots[0], 5],
})) {
  test(`${name} has no view`, () => {
    assert.equal(viewOf(value), undefined)
  })
}

for (const [name, sample] of Object.entries(samples)) {
  test(`every address in the head of '${name}' is in its text`, () => {
    const view = viewOf(sample)
    const bits = view?.blocks.findIndex(({ kind }) => kind === 'bits') ?? -1
    const head = JSON.stringify(view?.blocks.slice(0, bits < 0 ? undefined : bits))
    for (const [, digits] of head.matchAll(/0x([0-9a-f]+)/g)) {
      assert.ok(view?.text.includes(digits ?? ''), digits)
    }
  })
}

test('show chooses how many rows a table has', () => {
  const rowsOf = (value: unknown) => viewOf(value)?.blocks.find((block) => block.kind === 'table')
  assert.equal(rowsOf(slots)?.rows.length, 13)
  assert.equal(rowsOf(slots)?.cut?.hidden, 9)
  assert.equal(rowsOf(show(slots, { rows: Infinity }))?.rows.length, 22)
})

test('of a translation with its virtual machine, the map marks the address', () => {
  const view = viewOf({ ...seed, vm: { memslots: slots } })
  assert.deepEqual(
    view?.charts.map((chart) => 'marks' in chart && chart.marks.map(({ label }) => label)),
    [['gpa 0x34de5840']],
  )
})

test('a class’s own text is taken, which knows more than the facts', () => {
  const own = { ...seed, toString: () => 'mine', toJSON: () => ({}) }
  assert.equal(viewOf(own)?.text, 'mine')
  assert.equal(viewOf(seed)?.text, crashText(seed))
})

test('a last entry that maps nothing is called what the translation is, and a swap entry on its own', () => {
  const kindIn = (value: unknown) =>
    viewOf(value)
      ?.blocks.flatMap((block) => (block.kind === 'details' ? block.blocks : []))
      .flatMap((block) => (block.kind === 'table' ? (block.rows.at(-1)?.at(-2) ?? []) : []))
      .at(0)
  assert.equal(kindIn(samples['poisoned']), 'poisoned')
  assert.equal(kindIn(samples['swapped']), 'swapped')
  assert.equal(kindIn(samples['swapped']?.walk), 'swap entry')
})

test('what the dump lacks is told in its place', () => {
  const fail = (): never => {
    throw new FaultError('kernel virtual', 0x1000n, 'excluded', 'left out at dump level 31')
  }
  const task = {
    ...someTasks[0],
    get state() {
      return fail()
    },
    get parent() {
      return fail()
    },
  }
  assert.match(viewOf(task)?.text ?? '', /state +not readable/)
  const dump = {
    ...someDump,
    get bases() {
      return fail()
    },
    get vms() {
      return fail()
    },
  }
  assert.match(
    viewOf(dump)?.text ?? '',
    /virtual machines: cannot read kernel virtual address 0x1000: left out/,
  )
})

test('a structure shows its pointers as such, what lies within it, and what cannot be read', () => {
  const text = viewOf(rawStruct)?.text ?? ''
  assert.match(text, /^ {2}mm: \(mm_struct \*\) 0xffff8806f1230000$/m)
  assert.match(text, /^ {2}mmu_lock: \{raw: 0\} spinlock_t$/m)
  assert.match(text, /^ {2}next: NULL$/m)
  assert.match(text, /^ {2}max_vcpus: 0x400 \(1024\)$/m)
  assert.match(text, /^ {2}lost: - cannot read kernel virtual address 0x1000: left out/m)
})

test('a structure with very many members, or one that holds itself, is cut', () => {
  const names = Array.from({ length: 500 }, (_, i) => `m${i}`)
  const again: object = rawStructOf(
    'endless',
    8,
    0x1000n,
    Object.fromEntries(names.map((name) => [name, () => again])),
  )
  const view = viewOf(again)
  const nodes = JSON.stringify(view?.blocks).split('"hidden"').length
  assert.ok(nodes < 250, `${nodes} nodes`)
  assert.match(view?.text ?? '', /\.\.\. 300 more/)
})

test('blocks are data: they survive JSON', () => {
  for (const [, value] of kinds) {
    const blocks: readonly Block[] = viewOf(value)?.blocks ?? []
    assert.deepEqual(JSON.parse(JSON.stringify(blocks)), blocks)
  }
})

interface Truth {
  readonly vms: readonly {
    readonly pid: number
    readonly translations: readonly {
      readonly gpa: string
      readonly hva?: string
      readonly hpa?: string
      readonly state: string
      readonly kind?: string
    }[]
  }[]
}

for (const kernel of kernels) {
  const { folder, path, skip } = realDump(kernel)
  test(
    `the texts of the ${kernel} dump begin with what its host said of each address`,
    { skip },
    () => {
      const truth = JSON.parse(readFileSync(join(folder, 'truth.json'), 'utf8')) as Truth
      const dump = openDump(path)
      let present = 0
      for (const vm of truth.vms) {
        for (const { gpa, hva, hpa, state, kind } of vm.translations) {
          const text = viewOf(qemuVtop(dump.task(vm.pid), gpa))?.text ?? ''
          const [first, second] = text.split('\n')
          if (state === 'no-memslot') {
            assert.equal(first, `${gpa.slice(2)} has not been allocated`)
            continue
          }
          const [, shownHva, shownHpa] = second?.split(/ {2,}/) ?? []
          assert.ok(second?.startsWith(`${gpa.slice(2)}  `), gpa)
          assert.equal(`0x${shownHva}`, hva, gpa)
          if (state === 'present') assert.equal(`0x${shownHpa}`, hpa, gpa)
          else assert.match(shownHpa ?? '', /^\(not (mapped|in dump)\)$/, gpa)
          const device = /^swap:(.*)/.exec(kind ?? '')?.[1]
          if (device !== undefined) assert.ok(text.includes(`\nSWAP: ${device}  OFFSET: `), gpa)
          if (state === 'present') present++
        }
      }
      assert.ok(present > 100, `${present} present`)
      dump.close()
    },
  )

  test(
    `dump, virtual machines, tasks and structures of the ${kernel} dump fit 80 columns of ASCII`,
    { skip },
    () => {
      const dump = openDump(path)
      const [vm] = dump.vms
      const values = [
        dump,
        dump.vms,
        vm,
        vm?.memslots,
        dump.tasks(),
        vm?.task,
        vm?.task?.mm,
        vm?.struct,
      ]
      for (const value of values) {
        const view = viewOf(value)
        assert.ok(view)
        for (const line of view.text.split('\n')) assert.match(line, /^[ -~]{0,80}$/)
      }
      dump.close()
    },
  )
}
