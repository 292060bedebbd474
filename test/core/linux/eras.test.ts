// SPDX-License-Identifier: GPL-2.0-or-later
// Hosts of kernels that no real dump here is of: tasks, threads, files, pages and swap devices as those kept them.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type HostDump, qemuVtop } from '../../../core/index.ts'
import { type BuiltHost, type HostDescription } from '../../build/linux.ts'
import { page } from '../../build/pagetable.ts'
import { guestHpa, guestHva, smallHost, vmmPid, withDump } from '../../build/smallhost.ts'

/** As in init_pid_ns's first numbers: pidhash_shift is 4 to 12. */
const BITS = 6
const gone = 'a/file/that/is/gone'

interface Kernel {
  readonly name: string
  readonly forms: Partial<HostDescription>
  /** What hash_long multiplies by. */
  readonly multiplier: bigint
}

const old: readonly Kernel[] = [
  {
    name: '2.6.32',
    forms: { era: '2.6.32', vmas: 'rbtree', memslots: 'in kvm' },
    multiplier: 0x9e37fffffffc0001n,
  },
  {
    name: '3.10',
    forms: { era: '3.10', vmas: 'rbtree', memslots: 'by size' },
    multiplier: 0x9e37fffffffc0001n,
  },
  {
    name: '4.9, by its hash of pids',
    forms: { era: '3.10', vmas: 'rbtree', memslots: 'fixed array' },
    multiplier: 0x61c8864680b583ebn,
  },
]

const head = 0x8000000

function built(forms: Partial<HostDescription>): BuiltHost {
  const files = ['/dev/kvm', '/var/lib/web01.img', `/${gone}`]
  return smallHost(
    {
      ...forms,
      frames: [{ hpa: guestHpa }, { hpa: head, order: 3 }],
      swaps: [{ path: '/dev/vda2', pages: 1000 }],
    },
    {
      files,
      threads: [
        { pid: vmmPid + 1, comm: 'CPU 0/KVM' },
        { pid: vmmPid + 2, comm: 'CPU 1/KVM' },
      ],
      entries: [
        [guestHva, 1, page(guestHpa)],
        [guestHva + 0x1000n, 1, page(head + 0x3000)],
      ],
    },
  )
}

/** Puts numbers into the hash table; gives the chain of each. */
function addPids(host: BuiltHost, numbers: Readonly<Record<number, bigint>>, multiplier: bigint) {
  const { kernel } = host
  const namespace = kernel.symbol('init_pid_ns')
  const table = kernel.room(8 * 2 ** BITS)
  kernel.memory.u64(kernel.hpa(kernel.symbol('pid_hash')), table)
  kernel.memory.u64(kernel.hpa(kernel.symbol('pidhash_shift')), BigInt(BITS))
  for (const [nr, task] of Object.entries(numbers)) {
    const product = BigInt.asUintN(64, (BigInt(nr) + namespace) * multiplier)
    const chain = table + 8n * (product >> BigInt(64 - BITS))
    const first = kernel.member('task_struct', task, 'pids[0].node')
    const members = { 'tasks[0].first': first, 'numbers[0].nr': BigInt(nr) }
    const pid = kernel.make('pid', { ...members, 'numbers[0].ns': namespace })
    // Another number in front, of a container: the same, but in another namespace.
    const other = kernel.make('upid', { nr: BigInt(nr), ns: 1n })
    const next = kernel.member('pid', pid, 'numbers[0].pid_chain')
    kernel.set('upid', other, { 'pid_chain.next': next })
    kernel.memory.u64(kernel.hpa(chain), kernel.member('upid', other, 'pid_chain'))
  }
}

function withOld({ forms, multiplier }: Kernel, use: (dump: HostDump, host: BuiltHost) => void) {
  const host = built(forms)
  addPids(host, { [vmmPid]: host.task(vmmPid).task }, multiplier)
  withDump(host, (dump) => {
    use(dump, host)
  })
}

for (const kernel of old) {
  describe(`A host of Linux ${kernel.name}`, () => {
    it('has its processes, with threads in a ring', () => {
      withOld(kernel, (dump) => {
        assert.deepEqual(
          dump.tasks().map(({ pid }) => pid),
          [0, 1, vmmPid],
        )
        const threads = [vmmPid, vmmPid + 1, vmmPid + 2]
        const task = dump.task(vmmPid)
        assert.deepEqual(
          task.threads.map(({ pid }) => pid),
          threads,
        )
        // Not in the hash table: found by going through all.
        assert.equal(dump.task(vmmPid + 2).comm, 'CPU 1/KVM')
        assert.deepEqual(
          dump.task(vmmPid + 2).threads.map(({ pid }) => pid),
          threads,
        )
      })
    })

    it('has a pid by its hash, when the list of processes is broken before it', () => {
      const host = built(kernel.forms)
      addPids(host, { [vmmPid]: host.task(vmmPid).task }, kernel.multiplier)
      for (const of of ['next', 'prev']) {
        const link = host.kernel.member('task_struct', host.kernel.symbol('init_task'), 'tasks')
        host.kernel.set('list_head', link, { [of]: 0n })
      }
      withDump(host, (dump) => {
        assert.equal(dump.task(vmmPid).address, host.task(vmmPid).task)
        assert.throws(() => dump.task(1), /task_struct\.tasks/)
      })
    })

    it('has a pid by the list, when its chain of the hash turns in a circle', () => {
      const host = built(kernel.forms)
      addPids(host, { [vmmPid]: host.task(vmmPid).task }, kernel.multiplier)
      const table = host.kernel.symbol('pid_hash')
      const at = host.kernel.room(8 * 2 ** BITS)
      host.kernel.memory.u64(host.kernel.hpa(table), at)
      for (let i = 0; i < 2 ** BITS; i++) {
        const other = host.kernel.make('upid', { nr: 7 })
        const node = host.kernel.member('upid', other, 'pid_chain')
        host.kernel.set('upid', other, { 'pid_chain.next': node })
        host.kernel.memory.u64(host.kernel.hpa(at) + 8 * i, node)
      }
      withDump(host, (dump) => {
        assert.equal(dump.task(vmmPid).address, host.task(vmmPid).task)
      })
    })

    it('prints the paths of files as that kernel did', () => {
      const host = built(kernel.forms)
      const { dentry } = host.files.entry(`/${gone}`)
      if (kernel.forms.era === '2.6.32') host.kernel.set('dentry', dentry, { d_flags: 0x10 })
      else host.kernel.set('dentry', dentry, { 'd_hash.pprev': 0n })
      withDump(host, (dump) => {
        assert.deepEqual(
          dump.task(vmmPid).files.map(({ path }) => path),
          ['/dev/kvm', '/var/lib/web01.img', `/${gone} (deleted)`, 'anon_inode:kvm-vm'],
        )
      })
    })

    it('gives a guest its host pages, with struct page and folio', () => {
      withOld(kernel, (dump) => {
        const first = qemuVtop(dump.task(vmmPid), 0x40)
        assert.deepEqual([first.state, first.hpa], ['mapped', guestHpa + 0x40])
        assert.deepEqual(
          [first.page?.use, first.page?.refcount, first.page?.mapcount, first.page?.order],
          ['anon', 1, 1, 0],
        )
        const second = qemuVtop(dump.task(vmmPid), 0x1000)
        assert.equal(second.hpa, head + 0x3000)
        assert.deepEqual(
          [second.page?.head, second.page?.order, second.page?.use],
          [head / 4096, 3, 'anon'],
        )
        assert.deepEqual(second.remarks, [])
      })
    })

    it('counts what backs the guest, with kinds of its frames', () => {
      withOld(kernel, (dump) => {
        const coverage = dump.vm(vmmPid).coverage()
        assert.deepEqual(
          coverage.groupBy('state', 'kind').map(({ state, kind, bytes }) => [state, kind, bytes]),
          [
            ['unmapped', null, 0xffe000],
            ['mapped', 'anon', 0x1000],
            ['mapped', 'thp', 0x1000],
          ],
        )
        assert.deepEqual(coverage.remarks, [])
      })
    })

    it('leads from a host page back to the guest', () => {
      withOld(kernel, (dump) => {
        const who = dump.whoHas(head + 0x3010)
        assert.deepEqual(
          who.guests.map(({ gpa }) => gpa),
          [0x1010],
        )
      })
    })

    it('tells a page of hugetlb by the function that frees it', () => {
      const host = built(kernel.forms)
      const second = host.kernel.structPage(head / 4096 + 1)
      host.kernel.set('page', second, { 'lru.next': host.kernel.symbol('free_huge_page') })
      withDump(host, (dump) => {
        assert.equal(qemuVtop(dump.task(vmmPid), 0x1000).page?.use, 'hugetlb')
      })
    })

    it('has its swap device, whose inode says that it is a partition', () => {
      withOld(kernel, (dump) => {
        const [device] = dump.swaps
        assert.deepEqual(
          [device?.path, device?.kind, device?.pages],
          ['/dev/vda2', 'partition', 1000],
        )
      })
    })

    it('says that a ring of threads turns in a circle that misses its process', () => {
      const host = built(kernel.forms)
      const { task } = host.task(vmmPid)
      const link = host.kernel.member('task_struct', task, 'thread_group')
      const next = host.kernel.get('list_head', link, 'next')
      host.kernel.set('list_head', next, { next })
      withDump(host, (dump) => {
        assert.match(dump.task(vmmPid).threads.lost ?? '', /task_struct\.thread_group .*a cycle/)
        assert.equal(qemuVtop(dump.task(vmmPid), 0).state, 'mapped')
      })
    })
  })
}
