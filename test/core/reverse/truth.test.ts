// SPDX-License-Identifier: GPL-2.0-or-later
// The way back from every frame behind the guests of the real dumps, against pagemaps and what else was recorded.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  ownerKinds,
  type HostDump,
  openDump,
  type OwnerTable,
  qemuVtop,
  type WhoHas,
} from '../../../core/index.ts'
import { kernels, realDump } from '../../place.ts'
import { pagemapOf, truthOf, type TrueMemslot } from '../../truth.ts'

/** A page that the pagemap has as present. */
interface Present {
  readonly pid: number
  readonly space: number
  readonly gpa: number
  readonly hva: bigint
  readonly pfn: number
}

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`who has the frames of ${kernel}`, { skip }, () => {
    let dump: HostDump
    let present: Present[]
    before(() => {
      dump = openDump(path)
      present = [...presentPages(kernel)]
    })
    after(() => {
      dump.close()
    })

    it('gives back all pages that share a frame, and single ones', () => {
      const byPfn = groupByPfn(present)
      assert.ok(byPfn.size > 10_000)
      let single = 0
      for (const [pfn, wanted] of byPfn) {
        // Each that is shared; of the others, which bulk looks at, every 20th.
        if (wanted.size === 1 && single++ % 20 !== 0) continue
        const who = dump.whoHas(pfn * 4096)
        const found = new Set(
          who.guests
            .filter(({ holding }) => holding === 'mapped')
            .map(({ vm, addressSpace, gpa, hva }) => key(vm.task?.pid, addressSpace, gpa, hva)),
        )
        assert.ok(
          [...wanted].every((one) => found.has(one)) && found.size === wanted.size,
          `pfn ${pfn.toString(16)}`,
        )
        assert.deepEqual(who.remarks, [])
      }
    })

    it('gives back every page of every guest in bulk', () => {
      const hpas = Float64Array.from(present, ({ pfn }, i) => pfn * 4096 + ((i * 7) % 4096))
      const table = dump.whoHas(hpas)
      const byPfn = groupByPfn(present)
      for (const [i, { pfn }] of present.entries()) {
        const row = table.row(i)
        const pages = byPfn.get(pfn)
        assert.ok(row && pages)
        const byte = (i * 7) % 4096
        const found = [0, 1].map((space) =>
          key(
            row.vm?.task?.pid,
            space,
            Number(row.gpa ?? 0n) - byte,
            (row.hva ?? 0n) - BigInt(byte),
          ),
        )
        assert.ok(
          found.some((place) => pages.has(place)),
          `pfn ${pfn.toString(16)}`,
        )
        assert.ok(row.owners >= pages.size)
      }
    })

    it('knows the poisoned frames, and the guest that lost them', () => {
      for (const { pid, translations } of truthOf(kernel).vms) {
        for (const { gpa } of translations.filter(({ state }) => state === 'hwpoison')) {
          const { hpa } = qemuVtop(dump.task(pid), gpa)
          assert.ok(hpa !== null)
          const who = dump.whoHas(hpa)
          assert.ok(who.isPoisoned)
          assert.match(who.answer, /poisoned/)
          const owner = who.guests.find((one) => one.gpa === parseInt(gpa))
          assert.equal(owner?.holding, 'poisoned')
          assert.equal(owner.vm.task?.pid, pid)
          assert.equal(dump.whoHas([hpa]).row(0)?.gpa, BigInt(gpa))
        }
      }
    })

    it('says whose the pages of the swap cache are', () => {
      let count = 0
      for (const { pid, translations } of truthOf(kernel).vms) {
        const swapped = translations.filter(({ state }) => state === 'swapped')
        for (const { gpa } of swapped.filter((_, i) => i % Math.ceil(swapped.length / 30) === 0)) {
          const cachedAt = qemuVtop(dump.task(pid), gpa).swap?.cachedAt ?? null
          if (cachedAt === null) continue
          const who = dump.whoHas(cachedAt)
          assert.equal(who.kind, 'swap-cache')
          assert.deepEqual(
            who.guests.map((one) => [one.vm.task?.pid, one.gpa, one.holding]),
            [[pid, parseInt(gpa), 'swapped']],
          )
          count++
        }
      }
      assert.ok(count > 0)
    })

    it('says the same of any frame, alone and in bulk', () => {
      const { endPfn } = dump.memory.source
      const hpas = Array.from({ length: 2000 }, (_, i) => ((i * 7919) % endPfn) * 4096)
      const table = dump.whoHas(hpas)
      const { processes } = truthOf(kernel)
      const others = new Set<number>()
      for (const [i, hpa] of hpas.entries()) {
        const who = dump.whoHas(hpa)
        checkRow(table, i, who)
        for (const { task } of who.processes) {
          const recorded = processes.find(({ pid }) => pid === task.pid)
          if (recorded === undefined) others.add(task.pid)
          else assert.equal(recorded.comm.slice(0, 15), task.comm, `pid ${task.pid}`)
        }
      }
      // Between the record and the dump the host's script started a process that is not in the record.
      assert.ok(others.size <= 1)
      assert.ok(Object.keys(table.kinds).length > 6, JSON.stringify(table))
    })
  })
}

function checkRow(table: OwnerTable, i: number, who: WhoHas): void {
  const row = table.row(i)
  assert.equal(row?.kind, who.kind, String(who))
  assert.equal(ownerKinds[table.kind[i] ?? -1], who.kind)
  // Whose a page of the swap cache is, the table does not look for.
  const owners = who.kind === 'swap-cache' ? 0 : who.guests.length + who.processes.length
  assert.equal(row.owners, owners)
}

/** The places of each frame. */
function groupByPfn(present: readonly Present[]): Map<number, Set<string>> {
  const byPfn = new Map<number, Set<string>>()
  for (const { pid, space, gpa, hva, pfn } of present) {
    const known = byPfn.get(pfn) ?? new Set<string>()
    byPfn.set(pfn, known.add(key(pid, space, gpa, hva)))
  }
  return byPfn
}

function key(pid: number | undefined, space: number, gpa: number, hva: bigint): string {
  return `${pid ?? 'none'} ${space} ${gpa.toString(16)} ${hva.toString(16)}`
}

/** The slots of address space 1 count where they have what none of address space 0 has at the same place. */
function* presentPages(kernel: string): Generator<Present> {
  const pagemap = pagemapOf(kernel)
  for (const { pid, memslots } of truthOf(kernel).vms) {
    const own = new Set<string>()
    const inOrder = [...memslots].sort((a, b) => a.address_space - b.address_space)
    for (const slot of inOrder) {
      for (const page of pagesOf(slot, pagemap)) {
        const place = `${page.gpa} ${page.hva}`
        if (slot.address_space === 1 && own.has(place)) continue
        own.add(place)
        if (page.pfn >= 0) yield { pid, space: slot.address_space, ...page }
      }
    }
  }
}

function* pagesOf(
  slot: TrueMemslot,
  pagemap: Uint32Array,
): Generator<{ gpa: number; hva: bigint; pfn: number }> {
  for (let page = 0; page < slot.pages; page++) {
    const at = slot.pagemap_bin_offset / 8 + page
    const high = pagemap[2 * at + 1] ?? 0
    // Bit 63: present. Bits 0 to 54 are the frame.
    const pfn = high >>> 31 === 1 ? (high & 0x7fffff) * 2 ** 32 + (pagemap[2 * at] ?? 0) : -1
    yield {
      gpa: parseInt(slot.gpa) + page * 4096,
      hva: BigInt(slot.hva) + BigInt(page * 4096),
      pfn,
    }
  }
}
