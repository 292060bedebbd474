// SPDX-License-Identifier: GPL-2.0-or-later
// What other readers read of mounts: crash names swap devices and files by going through all of them.

import { address, layout, pointer } from '../../types/layout.ts'
import { type Layout } from '../../types/layout.ts'
import { listNodes } from '../list.ts'
import { type Touch } from '../touch.ts'

/** So many mounts are read; a host of containers has thousands, but not in the namespace of its first process. */
const MAX_MOUNTS = 1000

const mountFields = {
  root: pointer('mnt.mnt_root'),
  mountpoint: pointer('mnt_mountpoint'),
  device: pointer('mnt_devname'),
  children: address('mnt_mounts'),
  sibling: address('mnt_child'),
}

/** Reads the tree of mounts of the kernel's own namespace: each mount, its two directory entries, its device's name. */
export function readMounts(touch: Touch): void {
  const { types, space } = touch.host
  const { nsproxy } = layout(types, 'task_struct', { nsproxy: pointer('nsproxy') }).at(
    space,
    touch.host.symbol('init_task'),
  )
  const namespaces = layout(types, 'nsproxy', { mounts: pointer('mnt_ns') })
  const tree = layout(types, 'mnt_namespace', { root: pointer('root') })
  const { mounts } = namespaces.at(space, nsproxy)
  touch.struct('mnt_namespace', mounts)
  const fields: Layout<typeof mountFields> = layout(types, 'mount', mountFields)
  const names = layout(types, 'dentry', { name: pointer('d_name.name') })
  const offset = BigInt(fields.offset('sibling'))
  const found = new Set([tree.at(space, mounts).root])
  // A set hands out what is added while it is gone through.
  for (const at of found) {
    touch.struct('mount', at)
    touch.part(() => {
      const mount = fields.at(space, at)
      touch.text(mount.device)
      for (const dentry of [mount.root, mount.mountpoint]) {
        touch.struct('dentry', dentry)
        touch.part(() => {
          touch.text(names.at(space, dentry).name)
        })
      }
      for (const node of listNodes(space, mount.children, 'mount.mnt_mounts')) {
        if (found.size < MAX_MOUNTS) found.add(node - offset)
      }
    })
  }
}
