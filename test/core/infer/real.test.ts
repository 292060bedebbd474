// SPDX-License-Identifier: GPL-2.0-or-later
// Layouts inferred from the real dumps, against the kernels' own types and what was recorded on the hosts.
// The translations themselves are in test/core/translate/truth.test.ts, with and without types.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Missing, type PageSource } from '../../../core/dump/format.ts'
import { openPages } from '../../../core/dump/open.ts'
import { type HostDump, openDump, qemuVtop, viewOf } from '../../../core/index.ts'
import { InferredTypes, inferTypes } from '../../../core/infer/index.ts'
import { Host } from '../../../core/linux/host.ts'
import { PhysicalMemory } from '../../../core/space/physical.ts'
import { kernels, realDump } from '../../place.ts'
import { truthOf } from '../../truth.ts'

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`layouts inferred from the dump of ${kernel}`, { skip }, () => {
    let dump: HostDump
    let typed: HostDump
    before(() => {
      dump = openDump(path, { types: 'inferred' })
      typed = openDump(path)
    })
    after(() => {
      dump.close()
      typed.close()
    })

    it('has each member where the kernel itself says, and refuses none', () => {
      const findings = dump.inferred ?? assert.fail('its own types were used')
      let compared = 0
      for (const { member, offset, evidence } of findings) {
        const [struct = '', ...members] = member.split('.')
        const wanted = typed.host.types.struct(struct)?.member(members.join('.'))
        assert.notEqual(offset, undefined, `${member}: ${evidence}`)
        // Members that another era has under another name: __state, index, _folio_order.
        if (wanted === undefined) continue
        assert.equal(offset, wanted.offset, `${member}: ${evidence}`)
        compared++
      }
      assert.ok(compared >= 105, `${compared} members`)
    })

    it('has the sizes that the kernel says', () => {
      for (const name of ['kvm_memory_slot', 'address_space', 'swap_cluster_info', 'page']) {
        const size = dump.host.types.sizeOf(name)
        if (size !== undefined) assert.equal(size, typed.host.types.sizeOf(name), name)
      }
    })

    it('lists the memslots that were recorded', () => {
      for (const { pid, memslots } of truthOf(kernel).vms) {
        const [vm] = dump.task(pid).vms
        const found = vm?.memslots.map((slot) => ({
          address_space: slot.addressSpace,
          slot: slot.id,
          flags: slot.flagBits,
          gpa: BigInt(slot.gpa),
          size: BigInt(slot.size),
          hva: slot.hva,
        }))
        const wanted = memslots.map(({ address_space, slot, flags, gpa, size, hva }) => ({
          ...{ address_space, slot, flags },
          ...{ gpa: BigInt(gpa), size: BigInt(size), hva: BigInt(hva) },
        }))
        const order = (slots: typeof wanted) =>
          slots.sort((a, b) => a.address_space - b.address_space || Number(a.gpa - b.gpa))
        assert.deepEqual(order(found ?? []), order(wanted))
      }
    })

    it('finds the same tasks, threads, states, files and memory areas as with types', () => {
      const described = (of: HostDump) =>
        of.tasks().map((task) => ({
          ...task.toJSON(),
          state: task.state,
          parent: task.parent?.pid,
          threads: task.threads.map(({ pid, comm }) => [pid, comm]),
          commandLine: task.commandLine,
          files: task.files.map((file) => [file.fd, file.address, file.path]),
          vmas: task.vmas,
        }))
      assert.deepEqual(described(dump), described(typed))
    })

    it('finds the same virtual machines, swap devices and symbols of modules', () => {
      assert.deepEqual(JSON.stringify(dump.vms), JSON.stringify(typed.vms))
      assert.equal(dump.vms.length, truthOf(kernel).vms.length)
      assert.deepEqual(dump.swaps, typed.swaps)
      assert.equal(dump.symbol('kvm_vcpu_fops'), typed.symbol('kvm_vcpu_fops'))
      assert.equal(dump.build, typed.build)
    })

    it('gives the same translations, but for the mapcount of large folios and the content of zram', () => {
      for (const { pid, translations } of truthOf(kernel).vms) {
        for (const { gpa } of translations) {
          const given = asJson(qemuVtop(dump.task(pid), gpa))
          const wanted = asJson(qemuVtop(typed.task(pid), gpa))
          const isLarge = (wanted.page?.order ?? 0) > 0
          if (given.page?.mapcount === null && wanted.page && isLarge) wanted.page.mapcount = null
          if (wanted.content?.from === 'zram') {
            assert.equal(given.content?.from, null)
            assert.match(given.content.how, /layouts that were inferred/)
            delete given.content
            delete wanted.content
          }
          assert.deepEqual(given, wanted)
        }
      }
    })

    it('says in the summary that layouts were inferred, and declares what it knows', () => {
      const text = viewOf(dump)?.text ?? ''
      assert.match(
        text.replace(/\s+/g, ' '),
        /inferred from the dump itself, since .* members found/,
      )
      assert.doesNotMatch(viewOf(typed)?.text ?? '', /inferred/)
      assert.match(dump.declarations(), /interface .*task_struct/)
      assert.equal(typed.inferred, null)
    })

    it('infers when the pages of its types are not in the dump, and says why', () => {
      const start = typed.host.space.physical(typed.symbol('__start_BTF'))
      const end = typed.host.space.physical(typed.symbol('__stop_BTF'))
      const memory = new PhysicalMemory(without(openPages(path), start, end))
      const host = new Host(memory, {}, { infer: inferTypes })
      assert.ok(host.types instanceof InferredTypes)
      assert.match(
        host.types.remarks[0] ?? '',
        /its own types \(BTF\) cannot be read: .*taken away/,
      )
      assert.deepEqual(host.types.findings, dump.inferred)
    })

    it('throws for a member that nobody inferred, with the file that has it', () => {
      assert.throws(() => dump.host.modules.find('kvm')?.size, {
        name: 'MissingError',
        message: /inferred from the dump.*vmlinux-\d.* of its debug package/,
      })
    })
  })
}

interface Json {
  page?: { mapcount: number | null; order: number } | null
  content?: { from: string | null; how: string }
}

function asJson(value: object): Json {
  return JSON.parse(JSON.stringify(value)) as Json
}

/** The same pages, but those between two physical addresses. */
function without(source: PageSource, start: number, end: number): PageSource {
  const gone: Missing = { why: 'excluded', detail: 'taken away by a test' }
  return new Proxy(source, {
    get(target, key) {
      if (key === 'page') {
        return (pfn: number) =>
          pfn >= Math.floor(start / 4096) && pfn * 4096 < end ? gone : target.page(pfn)
      }
      const value: unknown = Reflect.get(target, key, target)
      return value
    },
  })
}
