// SPDX-License-Identifier: GPL-2.0-or-later
// Processes, threads, files and swap of the real dumps, against what the host itself listed.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type HostDump, openDump, TaskError } from '../../../core/index.ts'
import { kernels, realDump } from '../../place.ts'
import { truthOf } from '../../truth.ts'

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`tasks of the dump of ${kernel}`, { skip }, () => {
    let dump: HostDump
    const truth = skip === false ? truthOf(kernel) : undefined
    before(() => {
      dump = openDump(path)
    })
    after(() => {
      dump.close()
    })

    it('are the processes that /proc listed, with names and parents', () => {
      const processes = new Map(dump.tasks().map((task) => [task.pid, task]))
      for (const { pid, comm, ppid, kthread } of truth?.processes ?? []) {
        const task = processes.get(pid)
        assert.ok(task, `pid ${pid} (${comm})`)
        // For workers of the kernel /proc adds what they work on, which the task does not hold.
        if (kthread) assert.ok(task.comm !== '' && comm.startsWith(task.comm), comm)
        else assert.equal(task.comm, comm)
        assert.equal(task.parent?.pid ?? 0, ppid)
        assert.equal(task.isKernelThread, kthread)
      }
      // Beside them the idle task, and perhaps one that lived only for the record.
      assert.ok(processes.has(0))
      assert.ok(processes.size - (truth?.processes.length ?? 0) <= 2)
    })

    it('begin with the idle task, swapper', () => {
      assert.match(dump.task(0).comm, /^swapper/)
      assert.equal(dump.task(0).parent, null)
    })

    it('have the threads that /proc listed for each VMM', () => {
      for (const { pid, threads } of truth?.vms ?? []) {
        const found = dump.task(pid).threads.map((thread) => [thread.pid, thread.comm])
        assert.deepEqual(
          found.sort(([a], [b]) => Number(a) - Number(b)),
          threads
            .map(({ tid, comm }) => [tid, comm.slice(0, 15)])
            .sort(([a], [b]) => Number(a) - Number(b)),
        )
      }
    })

    it('are found by pid, by thread, and by address in any form', () => {
      const { pid, threads } = truth?.vms[0] ?? assert.fail()
      const task = dump.task(pid)
      const hexText = task.address.toString(16)
      for (const selector of [String(pid), task.address, hexText, `0x${hexText}`]) {
        assert.equal(dump.task(selector).pid, pid)
      }
      const thread = threads.find(({ tid }) => tid !== pid) ?? assert.fail()
      assert.equal(dump.task(thread.tid).tgid, pid)
      assert.equal(dump.task(dump.task(thread.tid).address).pid, thread.tid)
    })

    for (const selector of [4000000, -1, 'nobody', 'ffff888000000000', 0x1234567890n, 1.5]) {
      it(`refuse ${String(selector)} in the words of the extension`, () => {
        assert.throws(
          () => dump.task(selector),
          (error) => {
            assert.ok(error instanceof TaskError)
            assert.equal(error.code, 'no-such-task')
            assert.match(error.message, /^invalid task or pid value: /)
            return true
          },
        )
      })
    }

    it('have the command line, where the dump keeps user pages', () => {
      for (const { pid, cmdline } of truth?.vms ?? []) {
        assert.deepEqual(dump.task(pid).commandLine, kernel === '6.12' ? cmdline : null)
      }
    })

    it('show open files with the path as the kernel prints it', () => {
      for (const { pid } of truth?.vms ?? []) {
        const paths = dump.task(pid).files.map((file) => file.path)
        assert.equal(paths.filter((name) => name === 'anon_inode:kvm-vm').length, 1)
        assert.ok(paths.includes('/dev/kvm'))
        assert.ok(paths.some((name) => name.startsWith('anon_inode:kvm-vcpu')))
        assert.ok(paths.some((name) => /^socket:\[\d+\]$/.test(name)))
      }
    })
  })

  describe(`swap of the dump of ${kernel}`, { skip }, () => {
    it('is what /proc/swaps showed', () => {
      const dump = openDump(path)
      const found = dump.swaps.map((swap) => ({
        type: swap.type,
        path: swap.path,
        kind: swap.kind,
        size_kb: swap.pages * 4,
        used_kb: swap.usedPages * 4,
        priority: swap.priority,
      }))
      assert.deepEqual(found, truthOf(kernel).swaps)
      dump.close()
    })
  })
}
