// SPDX-License-Identifier: GPL-2.0-or-later
// Hosts of kernels with radix trees: swapped pages out of the swap cache, shared memory, pids.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FaultError, type HostDump, qemuVtop } from '../../../core/index.ts'
import { type BuiltHost, type HostDescription } from '../../build/linux.ts'
import { page, swapEntry } from '../../build/pagetable.ts'
import { guestHpa, guestHva, smallHost, vmmPid, withDump } from '../../build/smallhost.ts'
import { type TreeForm } from '../../build/treeforms.ts'
import { makeTree, swapValue, treeIn } from '../../build/trees.ts'

const forms: Record<Exclude<TreeForm, 'xarray'>, Partial<HostDescription>> = {
  '2.6.32': { era: '2.6.32', memslots: 'in kvm' },
  '3.8': { era: '3.10', memslots: 'by size' },
  '3.10': { era: '3.10', memslots: 'by size' },
  '4.4': { era: '3.10', memslots: 'fixed array' },
  '4.9': { era: '3.10', memslots: 'fixed array' },
  '4.15': { era: '3.10', memslots: 'fixed array' },
  '4.19': { era: '3.10', memslots: 'fixed array' },
}

/** Frames of the swap cache: what device and offset, and what lies there. */
const cached = [
  { type: 0, offset: 7, hpa: 0x20007000, text: 'page 7 of vda2' },
  { type: 0, offset: 8, hpa: 0x20008000, text: 'page 8 of vda2' },
  // In the fifth run of 16,384 pages.
  { type: 1, offset: 70_000, hpa: 0x20010000, text: 'page 70000 of vdb' },
] as const
const sharedHpa = 0x20020000
const swaps = ['/dev/vda2', '/dev/vdb'].map((path, type) => ({
  path,
  pages: 100_000,
  cached: cached
    .filter((one) => one.type === type)
    .map(({ offset, hpa }) => [offset, hpa] as const),
}))
/** Of the guest's pages, one mapped and the others swapped out. */
const entries = [
  [guestHva, 1, page(guestHpa)] as const,
  ...cached.map(
    ({ type, offset }, i) =>
      [guestHva + BigInt(4096 * (i + 1)), 1, swapEntry(type, offset)] as const,
  ),
  [guestHva + 0x4000n, 1, swapEntry(1, 7)] as const,
]

function built(trees: TreeForm, changes: object = {}): BuiltHost {
  const form = { vmas: 'rbtree', trees, swaps, ...forms[trees as '3.10'] } as const
  const host = smallHost(form, { entries, ...changes })
  for (const { hpa, text } of cached) host.kernel.memory.zero(hpa).bytes(hpa, Buffer.from(text))
  return host
}

const textAt = (dump: HostDump, gpa: number): string => {
  const bytes = dump.task(vmmPid).vms[0]?.read(gpa, 32) ?? assert.fail()
  return Buffer.from(bytes).toString('latin1').replace(/\0+$/, '')
}

/** The guest's memory as shared memory of tmpfs: page 0 in the page cache, 1 swapped out, 2 never written. */
function withSharedMemory(trees: TreeForm, swapped = 1): BuiltHost {
  const file = '/dev/memory'
  const vmas = [{ start: guestHva, end: guestHva + 0x1000000n, protection: 'rw-s', file }]
  const host = built(trees, { entries: [], args: undefined, vmas })
  const { kernel } = host
  const { dentry } = host.files.entry(file)
  const block = kernel.get('dentry', dentry, 'd_sb')
  const s_type = kernel.make('file_system_type', { name: kernel.text('tmpfs') })
  kernel.set('super_block', block, { s_type })
  const info = kernel.make('shmem_inode_info', { swapped, 'vfs_inode.i_sb': block })
  const inode = kernel.member('shmem_inode_info', info, 'vfs_inode')
  const mapping = kernel.member('inode', inode, 'i_data')
  kernel.set('dentry', dentry, { d_inode: inode })
  const [vma = 0n] = host.task(vmmPid).vmas
  const open = kernel.get('vm_area_struct', vma, 'vm_file')
  const own = trees === '2.6.32' ? {} : { f_inode: inode }
  kernel.set('file', open, { f_mapping: mapping, ...own })
  kernel.memory.zero(sharedHpa).bytes(sharedHpa, Buffer.from('shared memory'))
  const first = guestHva >> 12n
  makeTree(kernel, treeIn(kernel, mapping), [
    [first, host.frame({ hpa: sharedHpa })],
    ...(trees === '2.6.32' ? [] : [[first + 1n, swapValue(1, 70_000)] as const]),
  ])
  return host
}

for (const trees of Object.keys(forms) as (keyof typeof forms)[]) {
  describe(`A host with the radix trees of Linux ${trees}`, () => {
    it('has swapped pages of a guest in the swap cache, of two devices', () => {
      withDump(built(trees), (dump) => {
        cached.forEach(({ text, hpa }, i) => {
          const gpa = 4096 * (i + 1)
          const translation = qemuVtop(dump.task(vmmPid), gpa)
          assert.equal(translation.state, 'swapped')
          assert.equal(translation.swap?.cachedAt, hpa)
          assert.equal(textAt(dump, gpa), text)
        })
      })
    })

    it('says of a page that the swap cache lacks that it is on the device alone', () => {
      withDump(built(trees), (dump) => {
        assert.equal(qemuVtop(dump.task(vmmPid), 0x4000).swap?.cachedAt, null)
      })
    })

    it('has shared memory in the page cache', () => {
      withDump(withSharedMemory(trees, 0), (dump) => {
        assert.equal(textAt(dump, 0), 'shared memory')
        assert.equal(textAt(dump, 0x2000), '')
      })
    })

    if (trees === '2.6.32') {
      it('does not take a page of shared memory for zeros that can be swapped out', () => {
        withDump(withSharedMemory(trees), (dump) => {
          assert.equal(textAt(dump, 0), 'shared memory')
          assert.throws(
            () => textAt(dump, 0x2000),
            /\(1 in all\), and .* in shmem_inode_info\.i_direct/,
          )
        })
      })
    } else {
      it('has shared memory that is swapped out, by its value in the page cache', () => {
        withDump(withSharedMemory(trees), (dump) => {
          assert.equal(textAt(dump, 0x1000), 'page 70000 of vdb')
          assert.equal(textAt(dump, 0x2000), '')
        })
      })
    }
  })
}

describe('A damaged radix tree of the swap cache', () => {
  it('is told with its node, and other pages are read', () => {
    const host = built('4.15')
    const { kernel } = host
    const size = kernel.types.sizeOf('address_space') ?? 0
    const spaces = kernel.hpa(kernel.symbol('swapper_spaces')) + 8
    const runs = kernel.memory.page(Math.floor(spaces / 4096))
    assert.ok(runs instanceof Uint8Array)
    const at = Buffer.from(runs).readBigUInt64LE(spaces % 4096) + BigInt(4 * size)
    const top = kernel.get('radix_tree_root', treeIn(kernel, at), 'rnode') & ~1n
    kernel.set('radix_tree_node', top, { shift: 7 })
    withDump(host, (dump) => {
      assert.equal(textAt(dump, 0x1000), 'page 7 of vda2')
      assert.throws(() => textAt(dump, 0x3000), /radix_tree_node .*has shift 7 in the root/)
    })
  })

  it('is told with the page that is not in the dump', () => {
    const host = built('3.10')
    const root = treeIn(host.kernel, host.kernel.symbol('swapper_spaces'))
    host.kernel.set('radix_tree_root', root, { rnode: host.kernel.direct(0x7f000001) })
    withDump(host, (dump) => {
      assert.throws(() => textAt(dump, 0x1000), FaultError)
      assert.equal(textAt(dump, 0x3000), 'page 70000 of vdb')
    })
  })
})

describe('The IDR of pids', () => {
  for (const trees of ['4.15', '4.19'] as const) {
    it(`of ${trees} leads to a task when the list of processes is broken before it`, () => {
      const host = built(trees)
      const { kernel } = host
      const namespace = kernel.symbol('init_pid_ns')
      const pidOf = (nr: number) => {
        const first = kernel.member('task_struct', host.task(nr).task, 'pids[0].node')
        return kernel.make('pid', {
          ...{ 'tasks[0].first': first, 'numbers[0].nr': nr, 'numbers[0].ns': namespace },
        })
      }
      makeTree(
        kernel,
        kernel.member('pid_namespace', namespace, 'idr.idr_rt'),
        [1, vmmPid].map((nr) => [BigInt(nr), pidOf(nr)] as const),
      )
      for (const of of ['next', 'prev']) {
        const link = kernel.member('task_struct', kernel.symbol('init_task'), 'tasks')
        kernel.set('list_head', link, { [of]: 0n })
      }
      withDump(host, (dump) => {
        assert.equal(dump.task(vmmPid).address, host.task(vmmPid).task)
        assert.equal(dump.task(1).comm, 'systemd')
        assert.throws(() => dump.task(2), /task_struct\.tasks/)
      })
    })
  }
})
