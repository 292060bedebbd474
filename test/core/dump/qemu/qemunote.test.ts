// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/dump/qemu/qemunote.ts: notes of real QEMUs against its other notes and against the dumps' page tables.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openDump } from '../../../../core/hostdump.ts'
import { openPages } from '../../../../core/dump/open.ts'
import { qemuCpus } from '../../../../core/dump/qemu/qemunote.ts'
import { kernels, realDump } from '../../../place.ts'

// Offsets in NT_PRSTATUS of x86-64: elf_prstatus of <linux/elfcore.h>, whose pr_reg is user_regs_struct.
const PRSTATUS = { rip: 240, cs: 248, eflags: 256, rsp: 264 }

function note(size: number, version: number, told = size) {
  const desc = new Uint8Array(size)
  const view = new DataView(desc.buffer)
  for (let at = 8; at + 8 <= size; at += 8) view.setBigUint64(at, BigInt(at), true)
  if (size >= 8) {
    view.setUint32(0, version, true)
    view.setUint32(4, told, true)
  }
  return { name: 'QEMU', type: 0, desc }
}

describe('qemuCpus', () => {
  for (const kernel of kernels) {
    const { path, skip } = realDump(kernel)
    it(`reads the processors of ${kernel} as NT_PRSTATUS has them`, { skip }, () => {
      const source = openPages(path)
      const { cpus, problems } = qemuCpus(source.notes)
      source.close()
      const prstatus = source.notes.filter(({ name, type }) => name === 'CORE' && type === 1)
      assert.deepEqual(problems, [])
      assert.equal(cpus.length, 2)
      assert.equal(prstatus.length, 2)
      for (const [i, { desc }] of prstatus.entries()) {
        const view = new DataView(desc.buffer, desc.byteOffset, desc.length)
        const cpu = cpus[i]
        assert.equal(cpu?.index, i)
        assert.equal(cpu.rip, view.getBigUint64(PRSTATUS.rip, true))
        assert.equal(cpu.rsp, view.getBigUint64(PRSTATUS.rsp, true))
        assert.equal(cpu.rflags, view.getBigUint64(PRSTATUS.eflags, true))
        assert.equal(BigInt(cpu.cs), view.getBigUint64(PRSTATUS.cs, true))
      }
    })

    it(`has the page tables and the processors' areas of ${kernel}`, { skip }, () => {
      const dump = openDump(path)
      const { cpus } = qemuCpus(dump.memory.source.notes)
      const perCpu = dump.symbol('__per_cpu_offset')
      for (const { index, cr0, cr3, cr4, idtBase, idtLimit, gsBase, kernelGsBase, cs } of cpus) {
        const offset = dump.read(perCpu + BigInt(8 * index), 8)
        const area = new DataView(offset.buffer).getBigUint64(0, true)
        assert.equal((cs & 3) === 0 ? gsBase : kernelGsBase, area)
        // The page table in use maps the kernel as the kernel's own does: entry 511 is the same.
        const last = (table: Uint8Array) => Buffer.from(table).readBigUInt64LE(511 * 8) & ~0xfffn
        const swapper = dump.read(dump.symbol('init_top_pgt'), 4096)
        const own = dump.readPhysical(cr3 & ~0xfffn, 4096)
        assert.equal(last(own), last(swapper))
        assert.equal(cr0 >> 31n, 1n)
        assert.equal((cr4 >> 12n) & 1n, kernel === '7.3' ? 1n : 0n)
        // CPU_ENTRY_AREA_RO_IDT of arch/x86/include/asm/cpu_entry_area.h, 256 gates of 16 bytes.
        assert.equal(idtBase, 0xfffffe0000000000n)
        assert.equal(idtLimit, 4095)
      }
      dump.close()
    })
  }

  it('knows the structure with kernel_gs_base at its end and without it', () => {
    const [long, short] = qemuCpus([note(440, 1), note(432, 1)]).cpus
    assert.equal(long?.kernelGsBase, 432n)
    assert.equal(short?.kernelGsBase, undefined)
    assert.equal(short?.cr3, 416n)
    assert.equal(short.cr4, 424n)
    assert.equal(short.gsBase, 264n)
    assert.equal(short.gdtBase, 360n)
    assert.equal(short.idtBase, 384n)
  })

  const broken: readonly [name: string, given: ReturnType<typeof note>, problem: RegExp][] = [
    ['an empty note', note(0, 1), /has 0 bytes/],
    ['the note of a 32-bit processor', note(300, 1), /has 300 bytes, and .* are 432/],
    ['another version', note(440, 2), /version is 2/],
    ['a size above what is there', note(440, 1, 448), /says that it has 448 bytes, and 440/],
    ['a size below its registers', note(440, 1, 100), /says that it has 100 bytes/],
  ]
  for (const [name, given, problem] of broken) {
    it(`tells ${name} and reads the others`, () => {
      const { cpus, problems } = qemuCpus([given, note(440, 1)])
      assert.deepEqual(
        cpus.map(({ index }) => index),
        [1],
      )
      assert.equal(problems.length, 1)
      assert.match(problems[0] ?? '', problem)
    })
  }

  it('takes no notes of others for its own', () => {
    const { desc } = note(440, 1)
    const others = [
      { name: 'CORE', type: 0, desc },
      { name: 'QEMU', type: 1, desc },
    ]
    assert.deepEqual(qemuCpus(others), { cpus: [], problems: [] })
  })
})
