// SPDX-License-Identifier: GPL-2.0-or-later
// AMD's virtual machine control block (VMCB): what the processor saved of a vCPU at its last exit.

import { type Space } from '../space/space.ts'
import { address, layout, optional, pointer, u64, uint } from '../types/layout.ts'
import { type Types } from '../types/type.ts'

/** A segment register, or a table register (then only limit and base have a meaning). */
export interface Segment {
  readonly name: string
  readonly selector: number
  /** The attributes of its descriptor, packed to 12 bits as in the VMCB. */
  readonly attributes: number
  readonly limit: number
  readonly base: bigint
}

/** What is taken from a VMCB: the rest of it is older than what KVM keeps itself, or has bits of KVM's in it. */
export interface Vmcb {
  /** The address of the `struct vmcb`, in kernel memory. */
  readonly address: bigint
  readonly rflags: bigint
  /** The current privilege level, 0 to 3. */
  readonly cpl: number
  readonly segments: readonly Segment[]
  /** True while the guest runs a guest of its own, which then is what the registers belong to. */
  readonly isNested: boolean
}

const segmentNames = ['cs', 'ss', 'ds', 'es', 'fs', 'gs', 'ldtr', 'tr', 'gdtr', 'idtr'] as const

/** Reads the VMCB of the vCPU at an address. */
export type VmcbReader = (vcpu: bigint) => Vmcb | undefined

/** A reader for the types of module kvm_amd; undefined when they do not describe VMCBs. */
export function vmcbReader(space: Space, types: Types): VmcbReader | undefined {
  if (!['vcpu_svm', 'vmcb', 'vmcb_save_area', 'vmcb_seg'].every((name) => types.has(name))) {
    return undefined
  }
  const svm = layout(types, 'vcpu_svm', {
    vcpu: address('vcpu'),
    vmcb: pointer('vmcb'),
    // Since 5.13: the guest's own VMCB, beside that of a guest that runs in it.
    own: optional(pointer('vmcb01.ptr')),
  })
  const vmcb = layout(types, 'vmcb', { save: address('save') })
  const save = layout(types, 'vmcb_save_area', {
    rflags: u64('rflags'),
    cpl: uint('cpl'),
  })
  const places = layout(
    types,
    'vmcb_save_area',
    Object.fromEntries(segmentNames.map((name) => [name, address(name)])),
  )
  const segment = layout(types, 'vmcb_seg', {
    selector: uint('selector'),
    attributes: uint('attrib'),
    limit: uint('limit'),
    base: u64('base'),
  })
  return (vcpu) => {
    const { vmcb: at, own = at } = svm.at(space, vcpu - BigInt(svm.offset('vcpu')))
    // KVM allocates a page for it (svm_vcpu_create of arch/x86/kvm/svm/svm.c).
    if (at === 0n || at % 4096n !== 0n) return undefined
    const saved = vmcb.at(space, at).save
    const { rflags, cpl } = save.at(space, saved)
    const segments = segmentNames.map((name): Segment => {
      const { selector, attributes, limit, base } = segment.at(
        space,
        saved + BigInt(places.offset(name)),
      )
      return { name, selector, attributes, limit, base }
    })
    return { address: at, rflags, cpl, segments, isNested: at !== own }
  }
}
