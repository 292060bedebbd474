// SPDX-License-Identifier: GPL-2.0-or-later
// What other readers need of a dump is read: on the real dumps, against what their hosts listed.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { PAGE_SIZE, type Missing, type PageSource } from '../../../../core/dump/format.ts'
import { openPages } from '../../../../core/dump/open.ts'
import { RecordingPages } from '../../../../core/dump/recording.ts'
import { FaultError } from '../../../../core/errors.ts'
import { Host } from '../../../../core/linux/host.ts'
import { Linux } from '../../../../core/linux/linux.ts'
import { readOpening, readTables } from '../../../../core/linux/opening/opening.ts'
import { Tasks } from '../../../../core/linux/task.ts'
import { Touch } from '../../../../core/linux/touch.ts'
import { walk } from '../../../../core/paging/walk.ts'
import { TEXT_MAP } from '../../../../core/space/kva.ts'
import { PhysicalMemory } from '../../../../core/space/physical.ts'
import { kernels, realDump } from '../../../place.ts'
import { truthOf } from '../../../truth.ts'

/** Variables that crash stops without; each lies in another part of the image. */
const wanted = ['init_task', 'modules', '__per_cpu_offset', 'mem_section', 'taint_flags']

/** A dump's frames without those that a test takes away. */
class Without implements PageSource {
  readonly facts
  readonly endPfn
  readonly notes
  readonly vmcoreinfo
  readonly hidden = new Set<number>()
  readonly #source: PageSource

  constructor(source: PageSource) {
    this.#source = source
    this.facts = source.facts
    this.endPfn = source.endPfn
    this.notes = source.notes
    this.vmcoreinfo = source.vmcoreinfo
  }

  page(pfn: number): Uint8Array | Missing {
    return this.hidden.has(pfn)
      ? { why: 'excluded', detail: 'by the test' }
      : this.#source.page(pfn)
  }

  close(): void {
    this.#source.close()
  }
}

for (const kernel of kernels) {
  const { folder, path, skip } = realDump(kernel)
  describe(`what others read of the dump of ${kernel}`, { skip }, () => {
    let recording: RecordingPages
    let host: Host
    let tasks: Tasks<never>
    let read: Set<number>
    before(() => {
      recording = new RecordingPages(openPages(path))
      host = new Host(new PhysicalMemory(recording))
      tasks = new Tasks<never>(new Linux(host), () => [])
      readOpening(tasks, () => [])
      read = new Set(recording.pfns)
    })

    /** Whether every page of a range that the dump has was read; there must be one. */
    const isRead = (at: bigint, length: number): boolean => {
      const frames: number[] = []
      const end = at + BigInt(length)
      for (let page = at & ~0xfffn; page < end; page += BigInt(PAGE_SIZE)) {
        frames.push(Math.floor(host.space.physical(page) / PAGE_SIZE))
      }
      const there = frames.filter((pfn) => recording.page(pfn) instanceof Uint8Array)
      assert.ok(there.length > 0, `0x${at.toString(16)} is not in the dump`)
      return there.every((pfn) => read.has(pfn))
    }

    for (const name of wanted) {
      it(`has the variable ${name}`, () => {
        assert.ok(isRead(host.symbol(name), 8))
      })
    }

    it('has the run queue of each CPU', () => {
      const notes = recording.notes.filter(({ name, type }) => name === 'CORE' && type === 1)
      const { length: cpus } = notes
      assert.ok(cpus > 0)
      for (let cpu = 0; cpu < cpus; cpu++) {
        const offset = host.space.u64(host.symbol('__per_cpu_offset') + BigInt(8 * cpu))
        assert.ok(isRead(BigInt.asUintN(64, offset + host.symbol('runqueues')), 8), `CPU ${cpu}`)
      }
    })

    it('has the task_struct and the stack of every process and thread that /proc listed', () => {
      const { processes, vms } = truthOf(kernel)
      const threads = vms.flatMap((vm) => vm.threads.map(({ tid }) => tid))
      const stack = host.types.struct('task_struct')?.member('stack')?.offset ?? assert.fail()
      const size = host.types.sizeOf('task_struct') ?? assert.fail()
      for (const pid of [...processes.map((process) => process.pid), ...threads]) {
        const { address } = tasks.find(pid)
        assert.ok(isRead(address, size), `task ${pid}`)
        assert.ok(isRead(host.space.u64(address + BigInt(stack)), 16384), `stack of ${pid}`)
      }
    })

    it('has the struct of every module that /proc/modules listed', () => {
      const lines = readFileSync(join(folder, 'proc-modules.txt'), 'utf8').trim().split('\n')
      for (const line of lines) {
        const name = line.split(' ')[0] ?? ''
        const module = host.modules.find(name) ?? assert.fail(name)
        assert.ok(isRead(module.address, host.types.sizeOf('module') ?? 0), name)
      }
    })

    it('has the page tables of all of it in the direct map, and of the image', () => {
      readTables(host, read)
      const all = new Set(recording.pfns)
      const frames = {
        tryPage: (pfn: number): Uint8Array | Missing =>
          all.has(pfn) ? recording.page(pfn) : { why: 'excluded', detail: 'it was not read' },
      }
      const top = host.vmcoreinfo.symbol('swapper_pg_dir') ?? assert.fail()
      const walked = (address: bigint) =>
        walk(frames, host.rules, host.space.physical(top), address).end
      for (const pfn of read) {
        const end = walked(host.bases.directMap.value + BigInt(pfn * PAGE_SIZE))
        // A frame that the kernel took out of its own map (a poisoned one) has no address.
        if (end.kind === 'empty' || end.kind === 'swap') continue
        assert.ok(end.kind === 'page', `frame ${pfn}: ${end.kind}`)
        assert.equal(end.hpa, pfn * PAGE_SIZE)
      }
      const image = walked(host.symbol('init_task'))
      assert.ok(image.kind === 'page')
      const linear = host.symbol('init_task') - TEXT_MAP + host.space.physBase
      assert.equal(image.hpa, Number(linear))
    })

    it('reads nothing for a symbol that this kernel does not have', () => {
      const count = recording.pfns.length
      const touch = new Touch(host)
      touch.symbol('no_such_variable')
      touch.between('_stext', 'no_such_end')
      touch.between('no_such_start', '_etext')
      touch.part(() => {
        touch.struct('no_such_struct', host.symbol('no_such_variable'))
      })
      assert.equal(recording.pfns.length, count)
    })

    it('passes over pages that the dump lacks, and reads those around them', () => {
      const source = new Without(openPages(path))
      const poor = new RecordingPages(source)
      const poorHost = new Host(new PhysicalMemory(poor))
      const poorTasks = new Tasks<never>(new Linux(poorHost), () => [])
      const frameOf = (name: string): number =>
        Math.floor(host.space.physical(host.symbol(name)) / PAGE_SIZE)
      const before = new Set(poor.pfns)
      // The offsets of all per-CPU areas, the module list's second module, and the names of flags.
      source.hidden.add(frameOf('__per_cpu_offset')).add(frameOf('taint_flags'))
      const second = host.modules.list()[1]?.address ?? assert.fail()
      source.hidden.add(Math.floor(host.space.physical(second) / PAGE_SIZE))
      assert.throws(() => poorHost.space.u64(host.symbol('__per_cpu_offset')), FaultError)
      readOpening(poorTasks, () => [])
      const got = new Set(poor.pfns)
      for (const pfn of source.hidden) assert.ok(!got.has(pfn) || before.has(pfn))
      for (const name of ['init_task', 'modules', 'mem_section']) {
        assert.ok(got.has(frameOf(name)), name)
      }
      assert.ok(got.has(Math.floor(host.space.physical(tasks.find(1).address) / PAGE_SIZE)))
    })
  })
}
