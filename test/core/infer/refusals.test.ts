// SPDX-License-Identifier: GPL-2.0-or-later
// A written host whose memory says too little, or two things at once: nothing is guessed, and the reason is told.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type HostDump, openDump } from '../../../core/index.ts'
import { type BuiltHost } from '../../build/linux.ts'
import { smallHost, vmmPid } from '../../build/smallhost.ts'

describe('a host without types', () => {
  it('gives what could be found, at places that no real kernel has', () => {
    const built = smallHost()
    withInferred(built, (dump) => {
      const names = ['comm', 'tasks', 'pid', 'tgid', 'group_leader', 'thread_node', 'signal']
      for (const name of names) {
        const wanted = built.kernel.types.struct('task_struct')?.member(name)
        const found = dump.inferred?.find(({ member }) => member === `task_struct.${name}`)
        assert.equal(found?.offset, wanted?.offset, `${name}: ${found?.evidence ?? ''}`)
      }
    })
  })

  it('refuses what the kernel gives no start for, and says which symbol it lacks', () => {
    withInferred(smallHost(), (dump) => {
      assert.throws(() => dump.task(vmmPid), {
        name: 'MissingError',
        message:
          /^no member 'task_struct.mm' in the layouts that were inferred .*no symbol init_mm.*vmlinux-/,
      })
      assert.throws(() => dump.vms, /no member 'kvm\.\w+' in .*it needs task_struct\.mm/)
      const text = dump.host.types.remarks?.[0] ?? ''
      assert.match(text, /\d+ of \d+ members found; not found: .*task_struct\.mm.*kvm\.memslots/)
    })
  })

  it('refuses a member that two places fit, with both', () => {
    const built = smallHost()
    const { kernel } = built
    const task = kernel.symbol('init_task')
    const { offset } = kernel.types.struct('task_struct')?.member('stack') ?? assert.fail()
    kernel.memory.bytes(kernel.hpa(task) + offset, Buffer.from('swapper/0'))
    withInferred(built, (dump) => {
      const comm = dump.inferred?.find(({ member }) => member === 'task_struct.comm')
      assert.equal(comm?.offset, undefined)
      assert.match(
        comm?.evidence ?? '',
        new RegExp(
          `several places fit .*candidates 0 \\(agreed 1 of 1\\), ${offset} \\(agreed 1 of 1\\)`,
        ),
      )
      assert.throws(() => dump.tasks(), /no member 'task_struct\.\w+' in .*several places fit/)
    })
  })

  it('is not misled by a ring of one that happens to look like a task', () => {
    // The list of init_task's threads, as on a host with Debian's 6.1: its one node is the head, in init_signals.
    const built = smallHost()
    const { kernel } = built
    const lookalike = kernel.make('task_struct', { comm: 'R' })
    const nodeOf = (task: bigint) => kernel.member('task_struct', task, 'thread_node')
    kernel.ring([nodeOf(kernel.symbol('init_task')), nodeOf(lookalike)])
    withInferred(built, (dump) => {
      const tasks = dump.inferred?.find(({ member }) => member === 'task_struct.tasks')
      const wanted = kernel.types.struct('task_struct')?.member('tasks')
      assert.equal(tasks?.offset, wanted?.offset, tasks?.evidence)
    })
  })

  it('refuses the list of tasks when no link leads back to its start', () => {
    const built = smallHost()
    const { kernel } = built
    const list = kernel.member('task_struct', built.task(vmmPid).task, 'tasks')
    kernel.set('list_head', list, { next: list })
    withInferred(built, (dump) => {
      assert.throws(() => dump.tasks(), /'task_struct\.\w+'.*no place fits \(the list comes back/)
    })
  })
})

/** Opens a written host as one without types. */
function withInferred(built: BuiltHost, use: (dump: HostDump) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'built-host-'))
  const dump = openDump(built.save(join(folder, 'vmcore')), { types: 'inferred' })
  try {
    use(dump)
  } finally {
    dump.close()
    rmSync(folder, { recursive: true })
  }
}
