// SPDX-License-Identifier: GPL-2.0-or-later
// The registers of a vCPU, as far as KVM keeps them in memory.

import { FaultError, ifThere } from '../errors.ts'
import { type Space } from '../space/space.ts'
import { address, arrayLength, layout, optional, u64, uint } from '../types/layout.ts'
import { type Types } from '../types/type.ts'
import { type Segment, type VmcbReader, vmcbReader } from './vmcb.ts'

// enum kvm_reg of arch/x86/include/asm/kvm_host.h: the order of the processor's own encoding.
const generalNames = [
  ...(['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'] as const),
  ...(['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15', 'rip'] as const),
] as const
const controlNames = ['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer'] as const

/** A register by name. */
export type RegisterName = (typeof generalNames)[number] | (typeof controlNames)[number] | 'rflags'

/** The registers of a vCPU as the guest sees them. Null where this dump cannot tell; `remarks` says why. */
export interface Registers extends Readonly<Record<RegisterName, bigint | null>> {
  /** The current privilege level, 0 to 3; AMD only. */
  readonly cpl: number | null
  /** Segment and table registers; AMD only, else empty. */
  readonly segments: readonly Segment[]
  /** How current they are, and why some are missing. */
  readonly remarks: readonly string[]
}

/** The names of the registers that are numbers, in the order in which they are shown. */
export const registerNames: readonly RegisterName[] = [...generalNames, 'rflags', ...controlNames]

/** What of a host is needed to read registers. */
export interface RegisterHost {
  readonly space: Space
  readonly types: Types
  readonly modules: {
    find(name: string): object | undefined
    types(name: string): Types | undefined
  }
}

/** Reads registers. `inGuest`: the vCPU was running the guest when the host stopped. */
export type RegisterReader = (vcpu: bigint, inGuest: boolean) => Registers

const none = Object.fromEntries(registerNames.map((name) => [name, null])) as Record<
  RegisterName,
  null
>

/** A reader for the vCPUs of a host. */
export function registerReader(host: RegisterHost): RegisterReader {
  const { space, types } = host
  const fields = layout(types, 'kvm_vcpu', {
    regs: address('arch.regs'),
    // Beside the others in newer kernels (7.3), before it was the 17th of them.
    rip: optional(u64('arch.rip')),
    available: u64('arch.regs_avail'),
    isProtected: optional(uint('arch.guest_state_protected')),
    ...Object.fromEntries(controlNames.map((name) => [name, optional(u64(`arch.${name}`))])),
  })
  const count = arrayLength(types, 'kvm_vcpu', 'arch.regs') ?? generalNames.length
  const bits = availabilityBits(types)
  const vendor = vendorOf(host)
  const amd = vendor === 'amd' ? host.modules.types('kvm_amd') : undefined
  const readVmcb = amd && vmcbReader(space, amd)

  return (at, inGuest) => {
    const vcpu = fields.at(space, at)
    if ((vcpu.isProtected ?? 0) !== 0) {
      const remark = 'the guest is encrypted (SEV-ES or TDX): KVM does not see its registers'
      return { ...none, cpl: null, segments: [], remarks: [remark] }
    }
    const isHere = (name: RegisterName) => {
      const bit = bits.get(name)
      return bit === undefined || ((vcpu.available >> BigInt(bit)) & 1n) === 1n
    }
    const values: Record<RegisterName, bigint | null> = { ...none }
    for (const [i, name] of generalNames.entries()) {
      if (!isHere(name)) continue
      values[name] = i < count ? space.u64(vcpu.regs + BigInt(i * 8)) : (vcpu.rip ?? null)
    }
    const control = vcpu as unknown as Readonly<Partial<Record<RegisterName, bigint>>>
    for (const name of controlNames) if (isHere(name)) values[name] = control[name] ?? null
    const remarks = inGuest ? ['it was running the guest: these are of its last exit'] : []
    if (vendor === 'amd') return { ...values, ...fromVmcb(at, readVmcb, remarks) }
    const others = registerNames.filter((name) => values[name] === null)
    const where =
      vendor === 'intel' ? "Intel's VMCS, whose form only the processor knows" : 'the VMCS or VMCB'
    remarks.push(
      `${others.join(', ')} and the segments are in ${where}; the others are what KVM keeps of it` +
        (vendor === 'intel'
          ? ', and the bits of cr0 and cr4 that the guest owns can be older'
          : ''),
    )
    return { ...values, cpl: null, segments: [], remarks }
  }
}

/** KVM's own copies are newer than the VMCB once it has emulated something, and have the guest's view of cr4 and efer. */
function fromVmcb(
  at: bigint,
  read: VmcbReader | undefined,
  remarks: readonly string[],
): { rflags: bigint | null; cpl: number | null; segments: readonly Segment[]; remarks: string[] } {
  const vmcb = read === undefined ? undefined : ifThere(() => read(at))
  if (vmcb instanceof FaultError || vmcb === undefined) {
    const why =
      read === undefined
        ? 'this dump has no types of module kvm_amd, which tell where it is'
        : (vmcb?.message ?? 'no VMCB is where vcpu_svm.vmcb points')
    const problem = `rflags and the segments are in the VMCB: ${why}`
    return { rflags: null, cpl: null, segments: [], remarks: [...remarks, problem] }
  }
  const nested = vmcb.isNested
    ? ['the guest was running a guest of its own: they are those of that']
    : []
  const { rflags, cpl, segments } = vmcb
  return { rflags, cpl, segments, remarks: [...remarks, ...nested] }
}

/** Which bit of regs_avail says that a register is in memory. Registers without one always are. */
function availabilityBits(types: Types): Map<RegisterName, number> {
  const bits = new Map<RegisterName, number>(generalNames.map((name, i) => [name, i]))
  for (const name of ['cr0', 'cr3', 'cr4'] as const) {
    const key = name.toUpperCase()
    const bit = types.enumerator(`VCPU_EXREG_${key}`) ?? types.enumerator(`VCPU_REG_${key}`)
    if (bit !== undefined) bits.set(name, bit)
  }
  return bits
}

/** The module that runs the guests; undefined when both are built in, or none can be seen. */
function vendorOf({ modules }: RegisterHost): 'amd' | 'intel' | undefined {
  const loaded = ifThere(() => {
    const amd = modules.find('kvm_amd') !== undefined
    return amd === (modules.find('kvm_intel') !== undefined) ? undefined : amd
  })
  if (typeof loaded !== 'boolean') return undefined
  return loaded ? 'amd' : 'intel'
}
