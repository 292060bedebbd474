// SPDX-License-Identifier: GPL-2.0-or-later
// Every VMA of every VMM of the real dumps, against /proc/PID/smaps.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { type HostDump, openDump } from '../../../core/index.ts'
import { kernels, realDump } from '../../place.ts'
import { truthOf } from '../../truth.ts'

interface Mapping {
  readonly start: bigint
  readonly end: bigint
  readonly protection: string
  readonly file: string
  readonly flags: readonly string[]
}

/** The two letters of VmFlags, from show_smap_vma_flags of fs/proc/task_mmu.c. */
const letters: Readonly<Record<string, string>> = {
  rd: 'READ',
  wr: 'WRITE',
  ex: 'EXEC',
  sh: 'SHARED',
  mr: 'MAYREAD',
  mw: 'MAYWRITE',
  me: 'MAYEXEC',
  ms: 'MAYSHARE',
  gd: 'GROWSDOWN',
  pf: 'PFNMAP',
  dw: 'DENYWRITE',
  lo: 'LOCKED',
  io: 'IO',
  dc: 'DONTCOPY',
  de: 'DONTEXPAND',
  ac: 'ACCOUNT',
  nr: 'NORESERVE',
  ht: 'HUGETLB',
  sf: 'SYNC',
  wf: 'WIPEONFORK',
  dd: 'DONTDUMP',
  sd: 'SOFTDIRTY',
  mm: 'MIXEDMAP',
  hg: 'HUGEPAGE',
  nh: 'NOHUGEPAGE',
  mg: 'MERGEABLE',
  um: 'UFFD_MISSING',
  uw: 'UFFD_WP',
}

function smapsOf(folder: string, name: string): Mapping[] {
  const text = gunzipSync(readFileSync(join(folder, `smaps-${name}.txt.gz`))).toString()
  return (
    text
      .split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)
      .map((block): Mapping => {
        const [head = '', ...lines] = block.split('\n')
        const [, start, end, protection = '', file = ''] =
          /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)$/.exec(head) ?? []
        const flags = lines.find((line) => line.startsWith('VmFlags:')) ?? ''
        return {
          start: BigInt(`0x${start ?? ''}`),
          end: BigInt(`0x${end ?? ''}`),
          protection,
          file,
          flags: flags.slice('VmFlags:'.length).trim().split(' '),
        }
      })
      // The vsyscall page is no VMA of the process.
      .filter((mapping) => mapping.file !== '[vsyscall]')
  )
}

for (const kernel of kernels) {
  const { path, folder, skip } = realDump(kernel)
  describe(`VMAs in the dump of ${kernel}`, { skip }, () => {
    let dump: HostDump
    before(() => {
      dump = openDump(path)
    })
    after(() => {
      dump.close()
    })

    it('are those of /proc/PID/smaps, with protection, file and flags', () => {
      for (const { pid, name } of truthOf(kernel).vms) {
        const wanted = smapsOf(folder, name)
        const found = dump.task(pid).vmas
        assert.equal(found.length, wanted.length)
        for (const [i, mapping] of wanted.entries()) {
          const vma = found[i]
          assert.ok(vma)
          const where = `${name} ${mapping.start.toString(16)} ${mapping.file}`
          assert.equal(vma.start, mapping.start, where)
          assert.equal(vma.end, mapping.end, where)
          assert.equal(vma.protection, mapping.protection, where)
          // Names such as [vdso] come from code of the kernel, not from a file or a stored name.
          const isFile = mapping.file !== '' && !mapping.file.startsWith('[')
          assert.equal(vma.file, isFile ? mapping.file : null, where)
          if (/^\[(heap|stack)\]$/.test(mapping.file)) assert.equal(vma.name, mapping.file, where)
          const known = vma.flags.flatMap((flag) =>
            Object.entries(letters)
              .filter(([, flagName]) => flagName === flag)
              .map(([two]) => two),
          )
          assert.deepEqual(known.sort(), [...mapping.flags].sort(), where)
        }
      }
    })

    it('are found by each first and last address, and by none between', () => {
      const task = dump.task(truthOf(kernel).vms[0]?.pid ?? 0)
      const [vm] = task.vms
      assert.ok(vm)
      const find = (at: bigint) => vm.linux.vmas.find(task.mmAddress, at)?.start
      const all = task.vmas
      for (const [i, { start, end }] of all.entries()) {
        assert.equal(find(start), start)
        assert.equal(find(end - 1n), start)
        if (all[i + 1]?.start !== end) assert.equal(find(end), undefined)
      }
      assert.equal(find(0n), undefined)
    })
  })
}
