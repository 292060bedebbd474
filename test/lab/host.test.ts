// SPDX-License-Identifier: GPL-2.0-or-later
// Dumps of further kernels, made by the lab on this machine: opened with no change, and compared with what the host recorded.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { DumpError, type HostDump, openDump, qemuVtop, type Vm } from '../../core/index.ts'
import { guestPage } from '../../core/kvm/guestread.ts'
import { checkPagemaps, checkTranslation } from '../recorded.ts'
import { pagemapAt, truthAt, type Truth } from '../truth.ts'
import { isMade, labHosts, madeHost, quickHosts } from './place.ts'

// With the kernel's own types, and as a kernel without any: found in the dump.
const ways = [
  { name: '', options: {} },
  { name: ' without its types', options: { types: 'inferred' } },
] as const

const hosts = labHosts.filter((key) => quickHosts.includes(key) || isMade(key))

for (const [key, way] of hosts.flatMap((one) => ways.map((way) => [one, way] as const))) {
  const folder = madeHost(key)
  const path = join(folder, 'vmcore')
  const skip = isMade(key) ? false : `no dump of ${key} at ${path}: npm run test:lab makes it`
  describe(`the lab's host ${key}${way.name}`, { skip }, () => {
    let dump: HostDump
    let truth: Truth
    before(() => {
      dump = openDump(path, way.options)
      truth = truthAt(join(folder, 'truth.json'))
    })
    after(() => {
      dump.close()
    })

    it('gives every recorded translation', () => {
      let seen = 0
      for (const { pid, translations } of truth.vms) {
        for (const wanted of translations) {
          checkTranslation(qemuVtop(dump.task(pid), wanted.gpa), wanted)
          seen++
        }
      }
      assert.ok(seen > 100, `${seen}`)
    })

    it('agrees with every entry of every pagemap', () => {
      const entries = checkPagemaps(dump, truth, pagemapAt(join(folder, 'pagemap.bin')))
      assert.ok(entries > 8000, `${entries}`)
    })

    it('has no inferred member at another place than the kernel itself says', () => {
      const typed = openDump(path)
      let compared = 0
      for (const { member, offset, evidence } of dump.inferred ?? []) {
        const [struct = '', ...members] = member.split('.')
        const own = typed.host.types.struct(struct)?.member(members.join('.'))
        // Refused ones, and members that this era has under another name.
        if (offset === undefined || own === undefined) continue
        assert.equal(offset, own.offset, `${member}: ${evidence}`)
        compared++
      }
      typed.close()
      assert.ok(dump.inferred === null || compared >= 95, `${compared}`)
    })

    // Not all pages of the other scenarios are the guest's own: test/lab/swap.test.ts.
    const ownPages = key.endsWith('-swap') ? 'this scenario has pages of another kind' : false
    it('has in every swapped page what the guest wrote', { skip: ownPages }, () => {
      for (const { pid, vmid, name, pages_by_kind } of truth.vms) {
        const [vm] = dump.task(pid).vms
        assert.ok(vm)
        const read = readSwapped(vm, vmid)
        const count = (wanted: (kind: string) => boolean) =>
          Object.entries(pages_by_kind).reduce(
            (sum, [kind, pages]) => sum + (wanted(kind) ? pages : 0),
            0,
          )
        const all = count((kind) => kind.startsWith('swap:'))
        const zram = dump.inferred === null ? 0 : count((kind) => kind.startsWith('swap:/dev/zram'))
        // Layouts of zram are not looked for by inference.
        assert.equal(read, all - zram, name)
      }
    })

    it('lists the processes, with their names and parents', () => {
      for (const { pid, comm, ppid } of truth.processes) {
        const task = dump.task(pid)
        // A kernel thread has its name and, behind it, its work in /proc.
        assert.ok(comm.startsWith(task.comm), `${pid}: ${task.comm}, ${comm}`)
        assert.equal(task.parent?.pid ?? 0, ppid, comm)
      }
    })

    it('lists the swap devices', () => {
      const given = dump.swaps.map(({ type, path, kind, pages, usedPages, priority }) => ({
        ...{ type, path, kind, priority },
        ...{ size_kb: pages * 4, used_kb: usedPages * 4 },
      }))
      assert.deepEqual(given, truth.swaps)
    })

    it('lists memslots and vCPUs of the machines, each run by a thread of its own', () => {
      assert.equal(dump.vms.length, truth.vms.length)
      for (const { pid, name, memslots, threads, cmdline } of truth.vms) {
        const [vm] = dump.task(pid).vms
        assert.ok(vm)
        const slots = vm.memslots.map((slot) => ({
          ...{ address_space: slot.addressSpace, slot: slot.id, flags: slot.flagBits },
          ...{ gpa: BigInt(slot.gpa), size: BigInt(slot.size), hva: slot.hva },
        }))
        const wanted = memslots.map(({ address_space, slot, flags, gpa, size, hva }) => ({
          ...{ address_space, slot, flags },
          ...{ gpa: BigInt(gpa), size: BigInt(size), hva: BigInt(hva) },
        }))
        const inOrder = (list: typeof slots) =>
          list.sort((a, b) => a.address_space - b.address_space || Number(a.gpa - b.gpa))
        assert.deepEqual(inOrder(slots), inOrder(wanted), name)
        // Which thread runs a vCPU is not looked for by inference, and asking says so.
        if (dump.inferred !== null) continue
        // QEMU names the thread of a processor `CPU 0/KVM`.
        const processors = threads.filter(({ comm }) => /^CPU \d+\/KVM$/.test(comm))
        assert.deepEqual(
          vm.vcpus.map(({ thread }) => thread?.pid),
          processors.map(({ tid }) => tid),
          name,
        )
        const smp = cmdline[cmdline.indexOf('-smp') + 1]
        assert.equal(vm.vcpus.length, cmdline.includes('-smp') ? Number(smp) : 1, name)
      }
    })
  })
}

/** Counts the swapped pages that can be read, each of which must hold its own gpa, as the guest's program wrote it. */
function readSwapped(vm: Vm, vmid: string): number {
  let read = 0
  for (const slot of vm.memslots.filter(({ addressSpace }) => addressSpace === 0)) {
    for (let gpa = slot.gpa; gpa < slot.gpa + slot.size; gpa += 4096) {
      if (qemuVtop(vm, gpa).state !== 'swapped') continue
      let bytes: Uint8Array
      try {
        bytes = guestPage(vm, gpa).bytes
      } catch (error) {
        if (!(error instanceof DumpError)) throw error
        assert.match(error.message, /zram|layouts that were inferred/)
        continue
      }
      const words = new BigUint64Array(bytes.slice(0, 24).buffer)
      assert.deepEqual([...words], [0x3145474150565451n, BigInt(vmid), BigInt(gpa)])
      read++
    }
  }
  return read
}
