// SPDX-License-Identifier: GPL-2.0-or-later
// Hosts whose structures contradict each other: every walk ends soon, with an error that names structure and address.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CorruptError, FaultError, qemuVtop, type HostDump } from '../../../core/index.ts'
import { type BuiltHost, type BuiltTask, type HostDescription } from '../../build/linux.ts'
import { page, swapEntry } from '../../build/pagetable.ts'
import {
  guestHpa,
  guestHva,
  guestSlot,
  smallHost,
  vmmPid,
  withDump,
} from '../../build/smallhost.ts'
import { type BuiltVm } from '../../build/vmm.ts'

/** LIST_POISON1 of include/linux/poison.h: what a list that was taken apart points at. */
const POISON = 0xdead000000000100n

interface Damage {
  readonly name: string
  readonly of?: Partial<HostDescription>
  readonly slots?: readonly (typeof guestSlot)[]
  readonly damage: (built: BuiltHost, task: BuiltTask, vm: BuiltVm) => unknown
  readonly ask: (dump: HostDump) => unknown
  /** What is thrown, and how its message begins. */
  readonly error: typeof CorruptError | typeof FaultError
  readonly message: RegExp
}

const ask = {
  files: (dump: HostDump) => dump.task(vmmPid).files,
  path: (dump: HostDump) => dump.task(vmmPid).files[0]?.path,
  commandLine: (dump: HostDump) => dump.task(vmmPid).commandLine,
  memslots: (dump: HostDump) => dump.task(vmmPid).vms[0]?.memslots,
  vmas: (dump: HostDump) => dump.task(vmmPid).vmas,
  swaps: (dump: HostDump) => dump.swaps,
  translation: (dump: HostDump) => qemuVtop(dump.task(vmmPid), 0),
}

const files: readonly Damage[] = [
  {
    name: 'an absurd count of descriptors',
    damage: ({ kernel }, { fdtable }) => kernel.set('fdtable', fdtable, { max_fds: 0xffffffff }),
    ask: ask.files,
    ...corrupt(/^fdtable\.max_fds at 0x\w+: is 4294967295; wanted a multiple of 64 up to /),
  },
  {
    name: 'a descriptor that leads nowhere',
    damage: ({ kernel }, { fdtable }) => {
      kernel.memory.u64(kernel.hpa(kernel.get('fdtable', fdtable, 'fd')), POISON)
    },
    ask: ask.files,
    ...fault(/address 0xdead\w+: not a canonical address \(needed for file\.f_op\)$/),
  },
  {
    name: 'dentries that are their own parents',
    damage: ({ kernel, files }) => {
      const { dentry } = files.entry('/var')
      kernel.set('dentry', dentry, { d_parent: files.entry('/var/lib').dentry })
    },
    ask: (dump) => dump.task(vmmPid).files[1]?.path,
    ...corrupt(/^dentry\.d_parent at 0x\w+: more than 4096 parents: a cycle$/),
  },
  {
    name: 'mounts on each other',
    damage: ({ kernel, files }) => {
      const at = (vfsmount: bigint) => vfsmount - kernel.member('mount', 0n, 'mnt')
      const [root, dev] = [files.entry(''), files.entry('/dev')]
      const on = (other: typeof root) => ({
        mnt_parent: at(other.mount),
        mnt_mountpoint: other.dentry,
      })
      kernel.set('mount', at(root.mount), on(dev))
      kernel.set('mount', at(dev.mount), on(root))
    },
    ask: ask.path,
    ...corrupt(/^mount\.mnt_parent at 0x\w+: more than 100000 mounts above it: a cycle$/),
  },
  {
    name: 'a name of absurd length',
    damage: ({ kernel, files }) => {
      kernel.set('dentry', files.entry('/dev/kvm').dentry, { 'd_name.len': 0x80000000 })
    },
    ask: ask.path,
    ...corrupt(
      /^dentry\.d_name\.len at 0x\w+: is 2147483648, but no name has more than 4096 bytes$/,
    ),
  },
  {
    name: 'a command line of absurd length',
    damage: ({ kernel }, { mm }) => kernel.set('mm_struct', mm, { arg_end: 0x7fffffffffffn }),
    ask: ask.commandLine,
    ...corrupt(/^mm_struct\.arg_end at 0x\w+: 0x7fffffffffff lies \d+ bytes behind arg_start/),
  },
  {
    name: 'a command line that ends before it begins',
    damage: ({ kernel }, { mm }) => kernel.set('mm_struct', mm, { arg_end: 0x1000n }),
    ask: ask.commandLine,
    ...corrupt(/^mm_struct\.arg_end at 0x\w+: 0x1000 lies -\d+ bytes behind arg_start/),
  },
  {
    name: 'an absurd count of swap devices',
    damage: ({ kernel }) => {
      kernel.memory.u64(kernel.hpa(kernel.symbol('nr_swapfiles')), 0x7fffffffn)
    },
    ask: ask.swaps,
    ...corrupt(/^nr_swapfiles at 0x\w+: is 2147483647, but this kernel has room for 27 devices$/),
  },
]

const memslots: readonly Damage[] = [
  {
    name: 'a memslot tree with a loop to the left',
    damage: ({ kernel }, _, { slots }) => {
      const node = kernel.member('kvm_memory_slot', slots[0] ?? 0n, 'gfn_node[1]')
      kernel.set('rb_node', node, { rb_left: node })
    },
    ask: ask.memslots,
    ...corrupt(/^kvm_memslots\.gfn_tree at 0x\w+: deeper than 64 nodes: a loop$/),
  },
  {
    name: 'a memslot tree that leads nowhere',
    damage: ({ kernel }, _, { sets }) => {
      kernel.set('kvm_memslots', sets[0] ?? 0n, { 'gfn_tree.rb_node': POISON })
    },
    ask: ask.memslots,
    ...fault(/0xdead\w+: not a canonical address \(needed for rb_node\.rb_\w+\)$/),
  },
  {
    name: 'a set of memslots that is neither of two',
    damage: ({ kernel }, _, { sets }) => kernel.set('kvm_memslots', sets[0] ?? 0n, { node_idx: 7 }),
    ask: ask.memslots,
    ...corrupt(/^kvm_memslots\.node_idx at 0x\w+: is 7; wanted 0 or 1$/),
  },
  ...[-1, 40000].map((used_slots) => ({
    name: `a count of ${used_slots} memslots`,
    of: { memslots: 'array' } as const,
    damage: ({ kernel }: BuiltHost, _: BuiltTask, { sets }: BuiltVm) =>
      kernel.set('kvm_memslots', sets[0] ?? 0n, { used_slots }),
    ask: ask.memslots,
    ...corrupt(/^kvm_memslots\.used_slots at 0x\w+: is -?\d+, but KVM allows 32767 slots$/),
  })),
  ...(['fixed array', 'by id', 'in kvm'] as const).flatMap((form) =>
    [-1, 0x7fffffff].map((count) => ({
      name: `a count of ${count} memslots, kept ${form}`,
      of: { memslots: form } as const,
      damage: ({ kernel }: BuiltHost, _: BuiltTask, { sets }: BuiltVm) =>
        kernel.set(form === 'in kvm' ? 'kvm' : 'kvm_memslots', sets[0] ?? 0n, {
          [form === 'fixed array' ? 'used_slots' : 'nmemslots']: count,
        }),
      ask: ask.memslots,
      ...corrupt(/^kvm(_memslots)?\.\w+ at 0x\w+: is -?\d+, but KVM allows \d+ slots$/),
    })),
  ),
  ...[0x7fffffff, -1].map((naliases) => ({
    name: `a count of ${naliases} aliases`,
    of: { memslots: 'in kvm' } as const,
    damage: ({ kernel }: BuiltHost, _: BuiltTask, { kvm }: BuiltVm) =>
      kernel.set('kvm', kvm, { 'arch.naliases': naliases }),
    ask: ask.memslots,
    ...corrupt(/naliases at 0x\w+: is -?\d+/),
  })),
  {
    name: 'memslots that overlap',
    slots: [guestSlot, { ...guestSlot, id: 4, gpa: 0xfff000 }],
    damage: () => undefined,
    ask: ask.memslots,
    ...corrupt(/^kvm_memory_slot at 0x\w+: slot 4 at gpa 0xfff000 overlaps slot 0 at 0x0$/),
  },
  {
    name: 'a memslot of absurd size',
    slots: [{ ...guestSlot, pages: 2 ** 45 }],
    damage: () => undefined,
    ask: ask.memslots,
    ...corrupt(/^kvm_memory_slot at 0x\w+: gfn 0x0 and 35184372088832 pages are more than a guest/),
  },
  {
    name: 'a top page table that leads nowhere',
    damage: ({ kernel }, { mm }) => kernel.set('mm_struct', mm, { pgd: POISON }),
    ask: ask.translation,
    ...fault(/0xdead\w+: not a canonical address \(needed for mm_struct\.pgd of 0x\w+\)$/),
  },
]

const vmas: readonly Damage[] = [
  {
    name: 'a VMA tree with a loop (maple)',
    damage: loopOfMaple,
    ask: ask.vmas,
    ...corrupt(/^maple_node at 0x\w+: deeper than 20 nodes: a loop$/),
  },
]

const groups = { files, memslots, vmas }

for (const [group, rows] of Object.entries(groups)) {
  describe(`damaged ${group} are told by structure and address:`, () => {
    for (const row of rows) {
      it(row.name, () => {
        withDump(build(row), (dump) => {
          const before = process.cpuUsage()
          assert.throws(
            () => row.ask(dump),
            (error) => {
              assert.ok(error instanceof row.error, String(error))
              assert.match(error.message, row.message)
              return true
            },
          )
          const { user, system } = process.cpuUsage(before)
          assert.ok(user + system < 1_000_000, `took ${user + system} µs`)
        })
      })
    }
  })
}

/** What an answer can do without: it is right all the same, and says what is damaged. */
const beside: readonly {
  readonly name: string
  readonly of?: Partial<HostDescription>
  readonly entry?: bigint
  readonly damage: Damage['damage']
  readonly state: string
  readonly says: RegExp
}[] = [
  {
    name: 'a VMA tree with a loop',
    damage: loopOfMaple,
    state: 'mapped',
    says: /^the VMA of the address: maple_tree at 0x\w+: deeper than 20 nodes: a loop$/,
  },
  {
    name: 'a frame that no struct page belongs to',
    entry: page(0x4000000000),
    damage: () => undefined,
    state: 'mapped',
    says: /^the struct page of the frame: cannot read kernel virtual address 0x\w+: no page table entry/,
  },
  {
    name: 'a struct page whose head is none',
    damage: ({ kernel }) => {
      kernel.set('page', kernel.structPage(guestHpa / 4096), { compound_head: 0xffff9a0002000001n })
    },
    state: 'mapped',
    says: /^the struct page of the frame: page\.compound_head at 0x\w+: 0xffff9a0002000000 is no struct page$/,
  },
  {
    name: 'a swap cache with a loop',
    of: { swaps: [{ path: '/dev/vda2', pages: 1000, cached: [[5, 0x20000000]] }] },
    entry: swapEntry(0, 5),
    damage: ({ kernel }) => {
      const runs = kernel.hpa(kernel.symbol('swapper_spaces'))
      const node = kernel.make('xa_node', { shift: 6 })
      kernel.set('xa_node', node, { 'slots[0]': node + 2n })
      const mapping = kernel.make('address_space', { 'i_pages.xa_head': node + 2n })
      kernel.memory.u64(runs, mapping)
    },
    state: 'swapped',
    says: /^swapped to device 0 at offset 5; where that is: xa_node\.shift at 0x\w+: 6 below 6$/,
  },
  {
    name: 'an offset behind the end of its swap device',
    of: { swaps: [{ path: '/dev/vda2', pages: 1000, cached: [[5, 0x20000000]] }] },
    entry: swapEntry(0, 5000),
    damage: () => undefined,
    state: 'swapped',
    says: /^swapped to device 0 at offset 5000; where that is: swap_info_struct\.max at 0x\w+: is 1001 pages, but a page table names page 5000$/,
  },
]

describe('an answer stays right beside', () => {
  for (const { name, of = {}, entry = page(guestHpa), damage, state, says } of beside) {
    it(name, () => {
      const built = smallHost(of, { entries: [[guestHva, 1, entry]] })
      damage(built, built.task(vmmPid), vmOf(built))
      withDump(built, (dump) => {
        const answer = qemuVtop(dump.task(vmmPid), 0)
        assert.equal(answer.state, state)
        assert.match([...answer.remarks, answer.reason][0] ?? '', says)
        if (state === 'mapped') assert.equal(answer.hpa, Number(entry & 0xffffffffff000n))
        assert.doesNotThrow(() => String(answer) + JSON.stringify(answer))
      })
    })
  }

  it('a command line that cannot be: the guest has no name then', () => {
    const built = smallHost()
    built.kernel.set('mm_struct', built.task(vmmPid).mm, { arg_end: 0x7fffffffffffn })
    withDump(built, (dump) => {
      const answer = qemuVtop(dump.task(vmmPid), 0)
      assert.deepEqual([answer.hpa, answer.subject.vmName], [guestHpa, null])
    })
  })

  it('a task list with a cycle behind the task that was asked for', () => {
    const built = smallHost()
    const { task } = built.task(vmmPid)
    const next = built.kernel.member('task_struct', task, 'tasks')
    built.kernel.set('task_struct', task, { 'tasks.next': next })
    withDump(built, (dump) => {
      assert.equal(qemuVtop(dump.task(vmmPid), 0).hpa, guestHpa)
      // Whether there is such a task, nobody can know.
      assert.throws(() => dump.task(4711), CorruptError)
    })
  })
})

function corrupt(message: RegExp) {
  return { error: CorruptError, message }
}

function fault(message: RegExp) {
  return { error: FaultError, message }
}

function build({ of = {}, slots, damage }: Damage): BuiltHost {
  const built = smallHost(of, slots === undefined ? {} : { vms: [{ slots }] })
  damage(built, built.task(vmmPid), vmOf(built))
  return built
}

function vmOf(built: BuiltHost): BuiltVm {
  const [vm] = built.task(vmmPid).vms
  assert.ok(vm)
  return vm
}

/** An inner node (maple_arange_64, type 3) whose one slot is the node itself. */
function loopOfMaple({ kernel }: BuiltHost, { mm }: BuiltTask): void {
  const node = kernel.make('maple_arange_64', {}, 256)
  const entry = node | (3n << 3n) | 2n
  kernel.set('maple_arange_64', node, { 'slot[0]': entry })
  kernel.set('mm_struct', mm, { 'mm_mt.ma_root': entry })
}
