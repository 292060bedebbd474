// SPDX-License-Identifier: GPL-2.0-or-later
// The verb vtop on hosts that are damaged: one clear line or a marked answer, never a stack trace.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { type BuiltHost } from '../../build/linux.ts'
import { guestHpa, guestHva, smallHost, vmmPid } from '../../build/smallhost.ts'
import { command } from './command.ts'

const folder = mkdtempSync(join(tmpdir(), 'test-damaged-'))
after(() => {
  rmSync(folder, { recursive: true })
})

const rows: readonly {
  readonly name: string
  readonly damage: (built: BuiltHost) => unknown
  readonly code: number
  readonly stdout: RegExp
  readonly stderr: RegExp
}[] = [
  {
    name: 'a virtual machine without memslots',
    damage: (built) => built.kernel.set('kvm', kvmOf(built), { 'memslots[0]': 0n }),
    ...{ code: 1, stdout: /^$/ },
    stderr: /: failed to get information of KVM, please check whether KVM module is loaded\n$/,
  },
  {
    name: 'a virtual machine that is being torn down',
    damage: (built) => built.kernel.set('kvm', kvmOf(built), { mm: 0n }),
    ...{ code: 1, stdout: /^$/ },
    stderr:
      /: failed to get information of qemu process: the virtual machine at 0x\w+ is being torn down/,
  },
  {
    name: 'a memslot tree with a loop',
    damage: (built) => {
      const slot = built.task(vmmPid).vms[0]?.slots[0] ?? 0n
      const node = built.kernel.member('kvm_memory_slot', slot, 'gfn_node[1]')
      built.kernel.set('rb_node', node, { rb_left: node })
    },
    ...{ code: 1, stdout: /^$/ },
    stderr: /: kvm_memslots\.gfn_tree at 0x\w+: deeper than 64 nodes: a loop\n$/,
  },
  {
    name: 'a page table that the dump lacks',
    damage: (built) => built.without(built.task(vmmPid).tables.tableAt(guestHva, 1)),
    ...{ code: 0, stderr: /^$/ },
    stdout:
      /\(not in dump\)[^]*REASON {2}the page table at 0x\w+ is not in the dump: makedumpfile did not/,
  },
  {
    name: 'a struct page that the dump lacks',
    damage: (built) => built.without(built.kernel.hpa(built.kernel.structPage(guestHpa / 4096))),
    ...{ code: 0, stderr: /^$/ },
    stdout:
      /^0 {16} 7f0000000000 {6}10000000\n[^]*NOT READ {2}the struct page of the frame: cannot/m,
  },
]

describe('vtop says in plain words that the dump has', () => {
  for (const { name, damage, code, stdout, stderr } of rows) {
    it(name, async () => {
      const built = smallHost()
      damage(built)
      const file = built.save(join(folder, 'vmcore'))
      const done = await command(['vtop', file, '-g', String(vmmPid), '-p', '0'])
      assert.match(done.stderr, stderr)
      assert.match(done.stdout, stdout)
      assert.equal(done.code, code)
    })
  }
})

function kvmOf(built: BuiltHost): bigint {
  return built.task(vmmPid).vms[0]?.kvm ?? 0n
}
