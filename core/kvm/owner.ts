// SPDX-License-Identifier: GPL-2.0-or-later
// Whose memory a virtual machine has, when the page of its `struct kvm` that tells is missing.

import { chainNodes } from '../linux/list.ts'
import { ifSound, isDamage } from '../linux/partial.ts'
import { type Task, type Tasks } from '../linux/task.ts'
import { address, layout, pointer } from '../types/layout.ts'

/**
 * The process whose mm has the notifier of a virtual machine on its list: KVM puts it there to hear of changes in the
 * memory that it maps (kvm_init_mmu_notifier of virt/kvm/kvm_main.c). Undefined when none can be seen to have it.
 */
export function ownerByNotifier<V>(tasks: Tasks<V>, kvm: bigint): Task<V> | undefined {
  const { space, types } = tasks.host
  // Named mmu_notifier_mm before 5.6.
  const mm = layout(types, 'mm_struct', {
    notifiers: pointer('notifier_subscriptions', 'mmu_notifier_mm'),
  })
  const name = types.has('mmu_notifier_subscriptions')
    ? 'mmu_notifier_subscriptions'
    : 'mmu_notifier_mm'
  const notifiers = layout(types, name, { first: pointer('list.first') })
  const wanted =
    kvm + BigInt(layout(types, 'kvm', { node: address('mmu_notifier.hlist') }).offset('node'))
  const owns = (process: Task<V>): boolean => {
    if (process.mmAddress === 0n) return false
    const list = mm.at(space, process.mmAddress).notifiers
    if (list === 0n) return false
    const { first } = notifiers.at(space, list)
    for (const node of chainNodes(space, first, `${name}.list`)) if (node === wanted) return true
    return false
  }
  const found = ifSound(() => {
    for (const process of tasks.processes())
      if (ifSound(() => owns(process)) === true) return process
    return undefined
  })
  return isDamage(found) ? undefined : found
}
