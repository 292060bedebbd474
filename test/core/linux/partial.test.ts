// SPDX-License-Identifier: GPL-2.0-or-later
// Hosts whose lists are damaged in the middle: what can be read is given, each once, and the damage is told beside it.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CorruptError, type HostDump, viewOf } from '../../../core/index.ts'
import { type BuiltHost, type BuiltTask, type HostDescription } from '../../build/linux.ts'
import { guestSlot, smallHost, vmmPid, withDump } from '../../build/smallhost.ts'
import { type BuiltVm } from '../../build/vmm.ts'

/** LIST_POISON1 of include/linux/poison.h: what a list that was taken apart points at. */
const POISON = 0xdead000000000100n
const DATA = 0x550000000000n

/** The host: pids 1, 100 with threads 100, 101, 102 and two virtual machines of three slots, and 200. */
function build(of: Partial<HostDescription>): BuiltHost {
  const slots = [
    guestSlot,
    { id: 1, gpa: 0x2000000, pages: 16, hva: DATA },
    { id: 2, gpa: 0x3000000, pages: 16, hva: DATA + 0x10000n },
  ]
  const vmm = {
    pid: vmmPid,
    comm: 'qemu-system-x86',
    threads: [101, 102].map((pid) => ({ pid, comm: 'CPU/KVM' })),
    files: ['/dev/kvm', '/var/lib/web01.img'],
    vms: [{ slots }, { slots: [guestSlot] }],
    vmas: [0n, 1n, 2n, 3n, 4n].map((i) => ({
      start: DATA + i * 0x10000n,
      end: DATA + i * 0x10000n + 0x8000n,
    })),
  }
  const last = { pid: 200, comm: 'sshd', vms: [{ slots: [guestSlot] }] }
  return smallHost({ tasks: [{ pid: 1, comm: 'systemd' }, vmm, last], ...of })
}

/** The names of a list's elements, and what it says of others. */
interface Answer {
  readonly list: object
  readonly elements: readonly unknown[]
  readonly lost: string
}

const ask = {
  tasks: (dump: HostDump): Answer => {
    const list = dump.tasks()
    return { list, elements: list.map(({ pid }) => pid), lost: list.lost ?? '' }
  },
  threads: (dump: HostDump): Answer => {
    const list = dump.task(vmmPid).threads
    return { list, elements: list.map(({ pid }) => pid), lost: list.lost ?? '' }
  },
  files: (dump: HostDump): Answer => {
    const list = dump.task(vmmPid).files
    return { list, elements: list.map(({ fd }) => fd), lost: list.lost ?? '' }
  },
  vmas: (dump: HostDump): Answer => {
    const list = dump.task(vmmPid).vmas
    const elements = list.map(({ start }) => Number((start - DATA) >> 16n))
    return { list, elements, lost: list.lost ?? '' }
  },
  vms: (dump: HostDump): Answer => {
    const list = dump.vms
    const elements = list.map(({ task, memslots }) => [task?.pid, memslots.length])
    return { list, elements, lost: list.lost.join() }
  },
  memslots: (dump: HostDump): Answer => {
    const [vm] = dump.task(vmmPid).vms
    const list = vm?.memslots ?? assert.fail()
    assert.equal(list.isWhole, false)
    const lost = list.lost.map(({ reason }) => reason).join()
    return { list, elements: list.map(({ id }) => id), lost }
  },
}

interface Row {
  readonly name: string
  readonly of?: Partial<HostDescription>
  readonly damage: (built: BuiltHost, task: BuiltTask, vm: BuiltVm) => unknown
  readonly ask: (dump: HostDump) => Answer
  readonly elements: readonly unknown[]
  readonly lost: RegExp
}

/** Ways to break the link of a list behind an element, and what is said then. */
const links = [
  ['a cycle', (node: bigint) => node, / at 0x\w+: a cycle after \d+ entries$/],
  [
    'a wild pointer',
    () => POISON,
    /0xdead\w+: not a canonical address \(needed for .*, entry \d\)$/,
  ],
  ['a NULL link', () => 0n, / at 0x\w+: a NULL link after \d+ entries$/],
] as const

function lists(of: Partial<HostDescription>, era: string): Row[] {
  const threads = era === 'today' ? ['thread_node', 'signal_struct.thread_head'] : []
  const [threadLink = 'thread_group', threadWhat = 'task_struct.thread_group'] = threads
  const places = [
    ['tasks', 'task_struct.tasks', 'processes are missing: ', [0, 1, 100, 200]],
    [threadLink, threadWhat, 'threads are missing: ', [100, 101, 102]],
  ] as const
  return places.flatMap(([member, what, begins, elements], i) =>
    links.map(([name, next, says]) => ({
      name: `${what} with ${name} (${era})`,
      of,
      damage: ({ kernel }: BuiltHost, { task }: BuiltTask) => {
        const own = kernel.member('task_struct', task, member)
        // Of a ring without a head, the process's own link is the head.
        const node = i === 0 ? own : kernel.get('list_head', own, 'next')
        kernel.set('list_head', node, { next: next(node) })
      },
      ask: i === 0 ? ask.tasks : ask.threads,
      elements,
      lost: new RegExp(`^${begins}.*${says.source}`),
    })),
  )
}

const vmLists: Row[] = links.map(([name, next, says]) => ({
  name: `vm_list with ${name}`,
  damage: ({ kernel }, _, { kvm }) => {
    const node = kernel.member('kvm', kvm, 'vm_list')
    kernel.set('list_head', node, { next: next(node) })
  },
  ask: ask.vms,
  elements: [
    [vmmPid, 3],
    [vmmPid, 1],
    [200, 1],
  ],
  lost: new RegExp(
    `^vm_list is damaged, in which there may be more virtual machines: .*${says.source}`,
  ),
}))

const files: Row[] = [
  {
    name: 'descriptors behind one that leads nowhere',
    damage: ({ kernel }, { fdtable }) => {
      kernel.memory.u64(kernel.hpa(kernel.get('fdtable', fdtable, 'fd')) + 8, POISON)
    },
    ask: ask.files,
    elements: [0],
    lost: /^files are missing: .*0xdead\w+: not a canonical address \(needed for file\.f_op\)$/,
  },
  {
    name: 'a count of descriptors that leads out of the table',
    damage: ({ kernel }, { fdtable }) => kernel.set('fdtable', fdtable, { max_fds: 0x0fffffc0 }),
    ask: ask.files,
    elements: [0, 1, 2, 3],
    lost: /^files are missing: fdtable\.max_fds at 0x\w+: is 268435392, but the table has room for 64$/,
  },
]

const vmas: Row[] = [
  ...(['a loop', 'a wild pointer'] as const).map((name): Row => {
    const right = (node: bigint) => (name === 'a loop' ? node : POISON)
    return {
      name: `a red-black tree of VMAs with ${name}`,
      of: { vmas: 'rbtree' },
      damage: ({ kernel }, { vmas: built }) => {
        const node = kernel.member('vm_area_struct', built[1] ?? 0n, 'vm_rb')
        kernel.set('rb_node', node, { rb_right: right(node) })
      },
      ask: ask.vmas,
      // The tree of five has 2 on top, 1 and 4 below it, and 0 and 3 below those.
      elements: [0, 1],
      lost:
        name === 'a loop'
          ? /^VMAs are missing: mm_struct\.mm_rb at 0x\w+: (comes twice|deeper than 64 nodes): a loop$/
          : /^VMAs are missing: .*0xdead\w+: not a canonical address \(needed for rb_node\.rb_\w+\)$/,
    }
  }),
  {
    name: 'a maple tree whose leaf has a wild pointer',
    damage: ({ kernel }, { mm }) => {
      const leaf = kernel.get('mm_struct', mm, 'mm_mt.ma_root') & ~0xffn
      kernel.set('maple_range_64', leaf, { 'slot[5]': POISON })
    },
    ask: ask.vmas,
    elements: [0, 1],
    lost: /^VMAs are missing: .*0xdead\w+: not a canonical address \(needed for vm_area_struct\.\w+\)$/,
  },
  {
    name: 'a maple tree with a pivot out of order',
    damage: ({ kernel }, { mm }) => {
      const leaf = kernel.get('mm_struct', mm, 'mm_mt.ma_root') & ~0xffn
      const node = kernel.make('maple_arange_64', { 'meta.end': 1 }, 256)
      const slots = { 'slot[0]': leaf | 0xan, 'slot[1]': node | (3n << 3n) | 2n }
      kernel.set('maple_arange_64', node, { 'pivot[0]': DATA + 0x4ffffn, ...slots })
      kernel.set('mm_struct', mm, { 'mm_mt.ma_root': node | (3n << 3n) | 2n })
    },
    ask: ask.vmas,
    elements: [0, 1, 2, 3, 4],
    lost: /^VMAs are missing: maple_node at 0x\w+: pivot 0 is out of order$/,
  },
]

const memslots: Row[] = [
  ...(['a loop', 'a wild pointer'] as const).map((name): Row => {
    return {
      name: `a tree of memslots with ${name}`,
      damage: ({ kernel }, _, { slots }) => {
        const node = kernel.member('kvm_memory_slot', slots[2] ?? 0n, 'gfn_node[1]')
        const back = kernel.member('kvm_memory_slot', slots[1] ?? 0n, 'gfn_node[1]')
        kernel.set('rb_node', node, { rb_right: name === 'a loop' ? back : POISON })
      },
      ask: ask.memslots,
      elements: [0, 1, 2],
      lost:
        name === 'a loop'
          ? /^kvm_memslots\.gfn_tree at 0x\w+: (comes twice|deeper than 64 nodes): a loop$/
          : /0xdead\w+: not a canonical address \(needed for rb_node\.rb_\w+\)$/,
    }
  }),
  {
    name: 'a memslot of absurd size',
    damage: ({ kernel }, _, { slots }) => {
      kernel.set('kvm_memory_slot', slots[1] ?? 0n, { npages: 2n ** 45n })
    },
    ask: ask.memslots,
    elements: [0, 2],
    lost: /^kvm_memory_slot at 0x\w+: gfn 0x2000 and 35184372088832 pages are more than a guest/,
  },
]

const groups = {
  lists: [...lists({}, 'today'), ...lists({ era: '3.10', memslots: 'by size' }, '3.10')],
  'lists of virtual machines': vmLists,
  files,
  vmas,
  memslots,
}

for (const [group, rows] of Object.entries(groups)) {
  describe(`what can be read of damaged ${group} is given, and the damage beside it:`, () => {
    for (const row of rows) {
      it(row.name, () => {
        const built = build(row.of ?? {})
        const task = built.task(vmmPid)
        row.damage(built, task, task.vms[0] ?? assert.fail())
        withDump(built, (dump) => {
          const { list, elements, lost } = row.ask(dump)
          assert.deepEqual(elements, row.elements)
          assert.match(lost, row.lost)
          // The view says it too; its lines are broken anywhere.
          const text = (viewOf(list)?.text ?? '').replace(/\s+/g, '')
          assert.ok(text.includes(lost.replace(/\s+/g, '')), viewOf(list)?.text)
        })
      })
    }
  })
}

describe('what is not found beside damage is not said to be missing for certain:', () => {
  const cycle = () => {
    const built = build({})
    const { task } = built.task(vmmPid)
    const next = built.kernel.member('task_struct', task, 'tasks')
    built.kernel.set('task_struct', task, { 'tasks.next': next })
    return built
  }

  it('a task', () => {
    withDump(cycle(), (dump) => {
      assert.throws(
        () => dump.task(4711),
        corrupt(/a cycle after 2 entries \(needed for task 4711\)$/),
      )
    })
  })

  it('a thread', () => {
    const built = build({})
    const node = built.kernel.member('task_struct', built.task(vmmPid).task, 'thread_node')
    built.kernel.set('list_head', node, { next: node })
    withDump(built, (dump) => {
      assert.equal(dump.task(102).pid, 102)
      assert.throws(() => dump.task(4711), /4711 \(not all threads of 1 processes can be read\)$/)
    })
  })

  it('the owner of a virtual machine', () => {
    const built = cycle()
    const { kvm } = built.task(vmmPid).vms[0] ?? assert.fail()
    const mm = built.kernel.make('mm_struct')
    built.kernel.set('kvm', kvm, { mm })
    withDump(built, (dump) => {
      const [vm] = dump.vms
      assert.throws(
        () => vm?.task,
        corrupt(/a cycle after 2 entries \(needed for the task of mm_struct 0x\w+\)$/),
      )
    })
  })
})

function corrupt(message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof CorruptError, String(error))
    assert.match(error.message, message)
    return true
  }
}
