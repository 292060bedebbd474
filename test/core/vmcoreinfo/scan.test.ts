// SPDX-License-Identifier: GPL-2.0-or-later
// VMCOREINFO found in memory: on a page of its own, behind a note's header, across two frames.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { openPages } from '../../../core/dump/open.ts'
import { scanVmcoreinfo } from '../../../core/vmcoreinfo/scan.ts'
import { BuiltMemory } from '../../build/memory.ts'
import { kernels, realDump } from '../../place.ts'

function note(text: string): Buffer {
  const header = Buffer.alloc(24)
  header.writeUInt32LE(11, 0)
  header.writeUInt32LE(text.length, 4)
  header.write('VMCOREINFO', 12)
  return Buffer.concat([header, Buffer.from(text)])
}

const host = `OSRELEASE=6.12\n${'KEY=value\n'.repeat(20)}`
const guest = 'OSRELEASE=5.10-guest\nSIZE(page)=64\n'

it('finds the page of the kernel and the notes of others, each once', () => {
  const memory = new BuiltMemory()
  memory.bytes(0x5000, Buffer.from(guest))
  memory.bytes(0x8000, note(host)).bytes(0xa000, note(host)).bytes(0xc010, note(guest))
  assert.deepEqual(
    [...scanVmcoreinfo(memory)],
    [
      { text: guest, pfn: 5, from: 'page' },
      { text: host, pfn: 8, from: 'note' },
    ],
  )
})

it('reads a note on into the next frame, and cuts it at a line when that is missing', () => {
  const memory = new BuiltMemory().bytes(0x8f80, note(host))
  assert.deepEqual(
    [...scanVmcoreinfo(memory)].map(({ text }) => text),
    [host],
  )
  memory.lose(0x9000, { why: 'excluded', detail: 'left out' })
  const [cut] = scanVmcoreinfo(memory)
  assert.equal(cut?.text, `OSRELEASE=6.12\n${'KEY=value\n'.repeat(8)}`)
})

it('takes no header whose lengths or owner are others', () => {
  const memory = new BuiltMemory()
  const [long, short, owner] = [note(host), note(host), note(host)]
  long.writeUInt32LE(5000, 4)
  short.writeUInt32LE(0, 4)
  owner.writeUInt32LE(12, 0)
  memory.bytes(0x1000, long).bytes(0x2000, short).bytes(0x3000, owner)
  memory.bytes(0x4000, Buffer.from('VMCOREINFO\0VMCOREINFO\0'))
  memory.bytes(0x5000, note('SIZE(page)=64\n'))
  assert.deepEqual([...scanVmcoreinfo(memory)], [])
})

for (const kernel of kernels) {
  const { folder, path, skip } = realDump(kernel)
  it(`finds the note of ${kernel} at the address that sysfs gave`, { skip }, () => {
    const [address = ''] = readFileSync(join(folder, 'sys-vmcoreinfo.txt'), 'utf8').split(' ')
    const source = openPages(path)
    const pfn = Number(BigInt(address) >> 12n)
    // The two frames of the note and one before it, in a source of their own: a whole dump takes seconds.
    const near = {
      ...source,
      endPfn: pfn + 2,
      page: (wanted: number) =>
        wanted >= pfn - 1
          ? source.page(wanted)
          : ({ why: 'hole', detail: 'not looked at' } as const),
      close: () => undefined,
    }
    const found = [...scanVmcoreinfo(near)]
    assert.deepEqual(
      found.map(({ pfn: at, text }) => [at, text]),
      [[pfn, source.vmcoreinfo]],
    )
  })
}
