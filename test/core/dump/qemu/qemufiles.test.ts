// SPDX-License-Identifier: GPL-2.0-or-later
// Streams that QEMU and libvirt wrote, page by page against the ELF dump that QEMU wrote of the same stopped machine.

import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openPages } from '../../../../core/dump/open.ts'
import { openDump, qemuVtop } from '../../../../core/index.ts'
import { truthAt } from '../../../truth.ts'

/**
 * Folders that each hold `dump.elf` (the monitor's dump-guest-memory) and `dump.qevm` (a migration stream, or libvirt's
 * save of it) of one stopped machine; `truth.json` where the machine was a KVM host. They have gigabytes, so they are
 * not kept: the lab that made the real dumps makes them.
 */
const folder = process.env['QEMU_VTOP_QEMU_FILES'] ?? ''
const skip = existsSync(folder) ? false : 'QEMU_VTOP_QEMU_FILES names no folder of QEMU-made files'

describe('QEMU-made files', { skip }, () => {
  for (const name of skip === false ? readdirSync(folder) : []) {
    const [elf, qevm, truth] = ['dump.elf', 'dump.qevm', 'truth.json'].map((file) =>
      join(folder, name, file),
    ) as [string, string, string]

    it(`${name}: every page of the stream equals the ELF file's, and so do registers and VMCOREINFO`, () => {
      const [one, other] = [openPages(qevm), openPages(elf)]
      let same = 0
      for (let pfn = 0; pfn < Math.max(one.endPfn, other.endPfn); pfn++) {
        const [given, wanted] = [one.page(pfn), other.page(pfn)]
        const where = `frame 0x${pfn.toString(16)}`
        if (given instanceof Uint8Array) {
          assert.ok(wanted instanceof Uint8Array && Buffer.compare(given, wanted) === 0, where)
          same++
        } else {
          // The ELF file has the firmware below 4 GiB too, which is no memory of the machine.
          assert.ok(!(wanted instanceof Uint8Array) || (pfn >= 0xfffc0 && pfn < 0x100000), where)
        }
      }
      assert.ok(same > 50_000, `${same} pages`)
      const registers = [one, other].map(({ notes }) => notes.filter((n) => n.name === 'QEMU'))
      assert.deepEqual(registers[0], registers[1])
      assert.ok((registers[0] ?? []).length > 0)
      assert.equal(one.vmcoreinfo, other.vmcoreinfo)
      one.close()
      other.close()
    })

    for (const path of [elf, qevm]) {
      const without = existsSync(truth) ? false : 'not a KVM host'
      it(
        `${name}: ${path === elf ? 'the ELF file' : 'the stream'} gives the recorded translations`,
        { skip: without },
        () => {
          const dump = openDump(path)
          let seen = 0
          for (const { pid, translations } of truthAt(truth).vms) {
            for (const { gpa, hva, hpa } of translations) {
              const given = qemuVtop(dump.task(pid), gpa)
              assert.equal(given.hva, hva === undefined ? null : BigInt(hva), gpa)
              assert.equal(given.hpa, hpa === undefined ? null : parseInt(hpa), gpa)
              seen++
            }
          }
          assert.ok(seen > 500, `${seen} translations`)
          assert.match(dump.bases.physBase.from, /the direct map, CR3 of processor 0/)
          dump.close()
        },
      )
    }
  }
})
