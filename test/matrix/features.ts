// SPDX-License-Identifier: GPL-2.0-or-later
// The columns of the matrix: what is asked of every host, and compared with what is known of it.

import assert from 'node:assert/strict'
import { type HostDump, MissingError, NO_ADDRESS, qemuVtop, type Vm } from '../../core/index.ts'
import { read, swapCache, swapEntries, zram } from './content.ts'
import { at, type Feature, NoCase, NotThere, ofGuests, vmOf } from './feature.ts'
import { type WantedGuest, type WantedHost } from './wanted.ts'

/** A new feature is one more line. */
export const features: readonly Feature[] = [
  { name: 'translation', run: ofGuests(translation) },
  { name: 'tasks & threads', run: tasks },
  { name: 'files & paths', run: ofGuests(files) },
  { name: 'VMAs', run: ofGuests(vmas) },
  { name: 'struct page & folio', run: ofGuests(structPage) },
  { name: 'memslots', run: ofGuests(memslots) },
  { name: 'vCPUs', run: ofGuests(vcpus) },
  { name: 'dirty log', run: dirtyLog },
  { name: 'guest_memfd', run: guestMemfd },
  { name: 'swap entries', run: swapEntries },
  { name: 'swap cache content', run: swapCache },
  { name: 'zram content', run: zram },
  { name: 'vm.read', run: read },
  { name: 'coverage', run: ofGuests(coverage) },
  { name: 'whoHas', run: whoHas },
  { name: 'bulk', run: ofGuests(bulk) },
]

const sorted = <T>(list: readonly T[], by: (one: T) => number) =>
  [...list].sort((a, b) => by(a) - by(b))

function translation(vm: Vm, { translations }: WantedGuest): undefined {
  assert.ok(translations.length > 0)
  for (const wanted of translations) {
    const { state, hva, hpa, reason } = qemuVtop(vm, wanted.gpa)
    const { gpa } = wanted
    assert.deepEqual(
      [state, hva, hpa],
      [wanted.state, wanted.hva, wanted.hpa],
      `${at(gpa)}: ${reason}`,
    )
  }
}

function tasks(dump: HostDump, { processes, guests }: WantedHost): undefined {
  const all = new Map(dump.tasks().map((task) => [task.pid, task]))
  for (const { pid, comm, ppid } of processes) {
    const task = all.get(pid)
    assert.ok(task, `pid ${pid} (${comm})`)
    // /proc adds to the name of a kernel thread what it works on.
    assert.ok(task.comm !== '' && comm.startsWith(task.comm), `${pid}: ${task.comm}`)
    assert.equal(task.parent?.pid ?? 0, ppid, `the parent of ${pid}`)
  }
  for (const { pid, threads } of guests) {
    const found = dump.task(pid).threads.map((thread) => ({ tid: thread.pid, comm: thread.comm }))
    assert.deepEqual(
      sorted(found, ({ tid }) => tid),
      sorted(threads, ({ tid }) => tid),
    )
  }
}

function files(_vm: Vm, guest: WantedGuest, dump: HostDump): undefined {
  const task = dump.task(guest.pid)
  const open = task.files.map(({ path }) => path)
  for (const path of guest.files) assert.ok(open.includes(path), `${path} is not open`)
  assert.deepEqual(
    task.vmas.map(({ file }) => file),
    guest.vmas.map(({ file }) => file),
  )
}

function vmas(_vm: Vm, guest: WantedGuest, dump: HostDump): undefined {
  const part = (all: WantedGuest['vmas']) =>
    all.map(({ start, end, protection }) => ({ start, end, protection }))
  assert.deepEqual(part(dump.task(guest.pid).vmas), part(guest.vmas))
}

function structPage(vm: Vm, { translations }: WantedGuest, dump: HostDump): string | undefined {
  let compared = 0
  let untold = 0
  for (const { gpa, page: wanted } of translations) {
    if (wanted === undefined) continue
    const { page } = qemuVtop(vm, gpa)
    assert.ok(page, at(gpa))
    for (const name of ['mapcount', 'use', 'order'] as const) {
      if (wanted[name] === undefined) continue
      // Not among what is inferred.
      if (name === 'mapcount' && page.mapcount === null && dump.inferred !== null) {
        untold++
        continue
      }
      assert.equal(page[name], wanted[name], `${name} of ${at(gpa)}`)
      compared++
    }
  }
  assert.ok(compared > 0)
  return untold === 0 ? undefined : 'the mapcount of large folios is not told'
}

function memslots(vm: Vm, guest: WantedGuest): undefined {
  const part = (all: readonly Omit<WantedGuest['memslots'][number], 'isLogged' | 'dirty'>[]) =>
    sorted(
      all.map(({ addressSpace, id, gpa, size, hva }) => ({ addressSpace, id, gpa, size, hva })),
      ({ addressSpace, gpa }) => addressSpace * 2 ** 52 + gpa,
    )
  assert.deepEqual(vm.memslots.lost, [])
  assert.deepEqual(part(vm.memslots), part(guest.memslots))
}

function vcpus(vm: Vm, guest: WantedGuest): undefined {
  assert.deepEqual(
    vm.vcpus.map(({ thread }) => thread?.pid),
    guest.vcpus,
  )
}

function dirtyLog(dump: HostDump, { guests }: WantedHost): undefined {
  let logged = 0
  for (const guest of guests) {
    const vm = vmOf(dump, guest)
    for (const slot of vm.memslots) {
      const { addressSpace, gpa } = slot
      const wanted = guest.memslots.find(
        (one) => one.addressSpace === addressSpace && one.gpa === gpa,
      )
      const found = vm.dirtyGfns(slot)
      assert.equal(found !== null, wanted?.isLogged, at(gpa))
      if (found === null) continue
      logged++
      if (wanted?.dirty !== undefined) assert.deepEqual([...found], wanted.dirty, at(gpa))
      assert.ok([...found].every((gfn) => gfn >= slot.baseGfn && gfn < slot.baseGfn + slot.npages))
    }
  }
  if (logged === 0) throw new NoCase('no memslot here is logged')
}

function guestMemfd(dump: HostDump, { guests }: WantedHost): undefined {
  const { types } = dump.host
  const member = 'kvm_memory_slot.gmem'
  if (types.struct('kvm_memory_slot')?.member('gmem') === undefined) {
    const why = types.whyMissing?.(member)
    if (why !== undefined) throw new MissingError('member', member, why)
    throw new NotThere(`this kernel has no guest_memfd: no member ${member}`)
  }
  const pages = guests.flatMap((guest) => {
    return guest.privatePages.map(([gpa, hpa]) => ({ vm: vmOf(dump, guest), gpa, hpa }))
  })
  if (pages.length === 0) throw new NoCase('no guest here has private memory')
  for (const { vm, gpa, hpa } of pages) {
    const found = qemuVtop(vm, gpa)
    assert.deepEqual([found.state, found.hpa], ['mapped', hpa], at(gpa))
    assert.match(found.reason, /guest_memfd/)
  }
}

function coverage(vm: Vm, guest: WantedGuest): string | undefined {
  const pages = { mapped: 0, otherEntries: 0, unmapped: 0 }
  const covered = vm.coverage()
  for (const { state, bytes } of covered.groupBy('state')) {
    const kind = state === 'mapped' || state === 'unmapped' ? state : 'otherEntries'
    pages[kind] += bytes / 4096
  }
  assert.deepEqual(pages, { mapped: guest.mapped().length, ...guest.counts() })
  return covered.remarks.length === 0 ? undefined : covered.remarks.join('; ')
}

/** So many frames of a guest are asked about one by one. */
const ASKED = 100

function whoHas(dump: HostDump, { guests }: WantedHost): undefined {
  for (const { pid, mapped } of guests) {
    const all = mapped()
    const step = Math.ceil(all.length / ASKED)
    for (const [gpa, hpa] of all.filter((_, i) => i % step === 0)) {
      const found = dump
        .whoHas(hpa)
        .guests.some((one) => one.vm.task?.pid === pid && one.gpa === gpa)
      assert.ok(found, `${at(gpa)} of ${pid} is not among those of hpa 0x${hpa.toString(16)}`)
    }
  }
}

function bulk(vm: Vm, { mapped, translations }: WantedGuest): undefined {
  const pages = [...mapped(), ...translations.map(({ gpa, hpa }) => [gpa, hpa] as const)]
  const { hpa } = qemuVtop(
    vm,
    pages.map(([gpa]) => gpa),
  )
  for (const [i, [gpa, wanted]] of pages.entries()) {
    const value = wanted === null ? NO_ADDRESS : BigInt(wanted)
    if (hpa[i] !== value) assert.equal(hpa[i], value, at(gpa))
  }
}
