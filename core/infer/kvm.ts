// SPDX-License-Identifier: GPL-2.0-or-later
// Virtual machines by a circle: the file of a VM leads to a struct kvm, and that back to the memory of its task.

import { FILE } from './files.ts'
import { count, offsets, Refused, type Tried } from './findings.ts'
import { ringOf } from './ground.ts'
import { kvmSymbol } from './module.ts'
import { type MetFile, type Survey } from './survey.ts'

/** What is searched of a struct kvm: what is wanted lies in its first part. */
export const KVM = 0x3000
/** What virt/kvm/kvm_main.c calls the file of a VM. */
const VM_FILE = 'kvm-vm'

/** Finds file.private_data, kvm.mm, kvm.vm_list, and the VMs that tasks hold. */
export function inferKvm(survey: Survey): void {
  const { ground, findings } = survey
  const mm = findings.at('task_struct.mm')
  const files = vmFiles(survey)
  if (files.length === 0)
    throw new Refused('no task holds a virtual machine: no file of one is open')
  // With one machine alone much leads to its memory somehow; only the machine itself is on KVM's list.
  const head = kvmSymbol(survey, 'vm_list')
  const nodes = head === undefined ? undefined : ringOf(ground, head)
  const isListed = (kvm: bigint) =>
    nodes?.some((node) => node > kvm && node < kvm + BigInt(KVM)) !== false
  const tried: Tried<'data' | 'back'>[] = []
  for (const data of offsets(FILE, 8)) {
    const [first] = files
    const kvm = first?.block.word(data)
    if (!ground.isPointer(kvm) || kvm === first?.block.address || !isListed(kvm)) continue
    const block = ground.block(kvm, KVM)
    for (const back of offsets(KVM, 8)) {
      if (block.word(back) !== first?.task.word(mm)) continue
      const fit = count(data, files, (file) => {
        const at = file.block.word(data)
        if (!ground.isPointer(at) || ground.word(at + BigInt(back)) !== file.task.word(mm))
          return false
        // mmu_notifier.mm is the same, behind the notifier's operations.
        return !ground.isStatic(ground.word(at + BigInt(back) - 8n))
      })
      if (fit.agreed > 0) tried.push({ form: { data, back }, fit })
    }
  }
  const rule = {
    of: 'files of virtual machines',
    evidence: "file, private_data, kvm, mm come back to the mm of the file's task",
    // A descriptor can be passed on to another process.
    tolerance: 0.34,
  }
  const { data, back } = findings.chooseTogether(
    tried,
    { data: ['file.private_data', 'ptr'], back: ['kvm.mm', 'struct mm_struct *'] },
    rule,
  )
  for (const file of files) {
    const kvm = file.block.word(data)
    if (!ground.isPointer(kvm)) continue
    const block = ground.block(kvm, KVM)
    survey.kvms.set(kvm, { block, mm: block.word(back) ?? 0n })
  }
  inferList(survey)
}

/** By f_op where kvm's symbols are there, else by the name of the directory entry. */
function vmFiles(survey: Survey): MetFile[] {
  const { ground, findings, files, dentries } = survey
  const operations = kvmSymbol(survey, 'kvm_vm_fops')
  const f_op = findings.at('file.f_op')
  if (operations !== undefined) {
    return [...files.values()].filter(({ block }) => block.word(f_op) === operations)
  }
  const path = findings.at('file.f_path')
  const name = findings.at('dentry.d_name')
  return [...files.values()].filter(({ block }) => {
    const text = dentries.get(block.word(path + 8) ?? 0n)?.word(name + 8)
    return text !== undefined && ground.text(text, 16) === VM_FILE
  })
}

/** KVM's own list of all VMs, on which each that a task holds must be. */
function inferList(survey: Survey): void {
  const { ground, findings, kvms } = survey
  const head = kvmSymbol(survey, 'vm_list')
  if (head === undefined)
    throw new Refused('neither the kernel nor module kvm has a symbol vm_list')
  const nodes = new Set(ringOf(ground, head))
  findings.choose(
    'kvm.vm_list',
    'struct list_head',
    [...offsets(KVM, 8)].map((offset) =>
      count(offset, kvms.keys(), (kvm) => nodes.has(kvm + BigInt(offset))),
    ),
    {
      of: 'virtual machines',
      evidence: `it is one of the ${nodes.size} nodes of the list at vm_list`,
    },
  )
}
