// SPDX-License-Identifier: GPL-2.0-or-later
// Types of a kernel whose dump describes none: layouts are found by what must hold of them, and counted.

import { DumpError } from '../errors.ts'
import { inferFileOperations, inferNames } from './file.ts'
import { inferFiles } from './files.ts'
import { Findings } from './findings.ts'
import { Ground, type Evidence } from './ground.ts'
import { inferKvm } from './kvm.ts'
import { inferMm, inferMmPlaces } from './mm.ts'
import { inferModules } from './module.ts'
import { inferMemslots } from './memslot.ts'
import { inferEntryForms, inferFileSystems, inferMounts } from './mount.ts'
import { inferFolios, inferPage, pageFlags, pageTypes } from './page.ts'
import { inferStates } from './state.ts'
import { type Survey, newSurvey } from './survey.ts'
import { inferSwap } from './swap.ts'
import { inferSwapCache } from './swapcache.ts'
import { inferTasks, inferThreads } from './task.ts'
import { InferredTypes } from './types.ts'
import { addTreeForms, inferVmaMembers, inferVmas } from './vma.ts'

export { InferredTypes } from './types.ts'
export { type Finding } from './findings.ts'

/** One step of the search, with the members that it looks for. A new thing to infer is a file and an entry; an era that differs is told by presence. */
interface Step {
  readonly infer: (survey: Survey) => void
  readonly members: readonly string[]
}

const steps: readonly Step[] = [
  { infer: inferTasks, members: ['task_struct.comm', 'task_struct.tasks'] },
  {
    infer: inferThreads,
    members: [
      ...['group_leader', 'pid', 'tgid', 'real_parent', 'thread_node'].map(
        (m) => `task_struct.${m}`,
      ),
      ...['task_struct.signal', 'signal_struct.thread_head'],
    ],
  },
  { infer: inferMm, members: ['task_struct.mm', 'mm_struct.pgd'] },
  { infer: inferMmPlaces, members: ['mm_struct.start_code'] },
  {
    infer: inferFiles,
    members: ['task_struct.files', 'files_struct.fdt', 'fdtable.max_fds', 'fdtable.fd'],
  },
  { infer: inferFileOperations, members: ['file.f_op'] },
  {
    infer: inferNames,
    members: ['file.f_path', 'file.f_inode', 'inode.i_mode'].concat(
      ['d_name', 'd_inode', 'd_parent'].map((member) => `dentry.${member}`),
    ),
  },
  { infer: addTreeForms, members: [] },
  // mm_rb in older kernels.
  { infer: inferVmas, members: ['mm_struct.mm_mt.ma_root', 'mm_struct.map_count'] },
  {
    infer: inferVmaMembers,
    members: ['vm_flags', 'vm_file', 'vm_pgoff'].map((member) => `vm_area_struct.${member}`),
  },
  { infer: inferModules, members: ['module.list', 'module.name', 'module.kallsyms'] },
  { infer: inferKvm, members: ['file.private_data', 'kvm.mm', 'kvm.vm_list'] },
  {
    infer: inferMemslots,
    members: ['kvm.memslots'].concat(
      ['base_gfn', 'npages', 'userspace_addr', 'flags', 'id'].map((m) => `kvm_memory_slot.${m}`),
    ),
  },
  {
    infer: inferFileSystems,
    members: ['vfsmount.mnt_root', 'dentry.d_sb', 'super_block.s_type', 'inode.i_ino'],
  },
  { infer: inferMounts, members: ['mount.mnt', 'mount.mnt_parent', 'mount.mnt_mountpoint'] },
  { infer: inferEntryForms, members: ['dentry.d_op', 'dentry.d_hash.pprev'] },
  { infer: inferStates, members: ['task_struct.__state', 'task_struct.exit_state'] },
  { infer: inferPage, members: ['page.flags', 'page.mapping', 'page.index'] },
  { infer: inferFolios, members: ['folio._flags_1'] },
  {
    infer: inferSwap,
    members: ['swap_file', 'flags', 'pages', 'max', 'prio'].map((m) => `swap_info_struct.${m}`),
  },
  { infer: inferSwapCache, members: ['address_space.i_pages', 'swap_cluster_info.table'] },
]

/** Finds layouts in the dump itself. `why` says why its own types could not be used. */
export function inferTypes(host: Evidence, why: string): InferredTypes {
  const findings = new Findings()
  const ground = new Ground(host)
  const survey = newSurvey(ground, findings)
  for (const { infer, members } of steps) {
    try {
      infer(survey)
    } catch (error) {
      if (!(error instanceof DumpError)) throw error
      for (const member of members) {
        if (findings.get(member) === undefined) findings.refuse(member, '', error.message)
      }
    }
  }
  const enums = new Map([
    ['pageflags', pageFlags(ground)],
    ['pagetype', pageTypes(ground)],
  ])
  return new InferredTypes(findings, enums, host.vmcoreinfo.release, why)
}
