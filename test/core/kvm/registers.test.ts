// SPDX-License-Identifier: GPL-2.0-or-later
// Registers of vCPUs: what KVM has of them on hosts of each maker, in memory written for the case.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { registerReader, type RegisterHost } from '../../../core/kvm/registers.ts'
import { readCText } from '../../build/ctext.ts'
import { BuiltMemory } from '../../build/memory.ts'
import { FlatSpace } from '../../build/space.ts'

// The order of members is that of 6.12's kvm_host.h and svm.h; what is not read is left out.
const text = `
  enum kvm_reg { VCPU_REGS_RAX, VCPU_REGS_RIP = 16, VCPU_EXREG_CR0 = 18, VCPU_EXREG_CR3, VCPU_EXREG_CR4 };
  struct kvm_vcpu_arch {
    unsigned long regs[17];
    unsigned int regs_avail, regs_dirty;
    unsigned long cr0, cr0_guest_owned_bits, cr2, cr3, cr4, cr8, efer;
    char guest_state_protected;
  };
  struct kvm_vcpu { void *kvm; struct kvm_vcpu_arch arch; };
`
const svm = `
  struct vmcb_seg { unsigned short selector, attrib; unsigned int limit; unsigned long base; };
  struct vmcb_save_area {
    struct vmcb_seg es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    char reserved[43];
    unsigned char cpl;
    unsigned long rflags;
  };
  struct vmcb { char control[1024]; struct vmcb_save_area save; };
  struct kvm_vmcb { struct vmcb *ptr; };
  struct vcpu_svm { struct kvm_vcpu vcpu; struct vmcb *vmcb; struct kvm_vmcb vmcb01; };
`
const { types } = readCText(text)
const amdTypes = readCText(text + svm).types

const VCPU = 0x1000
const VMCB = 0x3000
const offsetOf = (struct: string, path: string) =>
  amdTypes.struct(struct)?.member(path)?.offset ?? 0

/** rax is 0x100, rcx 0x101 and so on; rip is 0x110. */
function written(available = 0xffffffff): BuiltMemory {
  const memory = new BuiltMemory().zero(VCPU).zero(VMCB)
  const arch = VCPU + offsetOf('kvm_vcpu', 'arch')
  for (let i = 0; i < 17; i++) memory.u64(arch + i * 8, 0x100n + BigInt(i))
  memory.u32(arch + offsetOf('kvm_vcpu_arch', 'regs_avail'), available)
  memory.u64(arch + offsetOf('kvm_vcpu_arch', 'cr0'), 0x80000011n)
  memory.u64(arch + offsetOf('kvm_vcpu_arch', 'cr3'), 0x7000n)
  memory.u64(VCPU + offsetOf('vcpu_svm', 'vmcb'), BigInt(VMCB))
  memory.u64(VCPU + offsetOf('vcpu_svm', 'vmcb01.ptr'), BigInt(VMCB))
  const save = VMCB + 1024
  memory.u64(save + offsetOf('vmcb_save_area', 'rflags'), 0x246n)
  memory.u8(save + offsetOf('vmcb_save_area', 'cpl'), 3)
  memory.u8(save + offsetOf('vmcb_save_area', 'cs'), 0x33)
  memory.u64(save + offsetOf('vmcb_save_area', 'gs.base'), 0xffff888000000000n)
  return memory
}

/** A host with these modules. */
function hostOf(memory: BuiltMemory, ...modules: string[]): RegisterHost {
  return {
    ...{ space: new FlatSpace(memory), types },
    modules: {
      find: (name) => (modules.includes(name) ? {} : undefined),
      types: (name) =>
        name === 'kvm_amd' && modules.includes('with types') ? amdTypes : undefined,
    },
  }
}

const read = (host: RegisterHost, inGuest = false) => registerReader(host)(BigInt(VCPU), inGuest)

describe('registers on a host of AMD', () => {
  it("are KVM's own copies, with flags and segments out of the VMCB", () => {
    const found = read(hostOf(written(), 'kvm_amd', 'with types'))
    assert.deepEqual(
      [found.rax, found.rsp, found.r15, found.rip, found.cr0, found.cr3],
      [0x100n, 0x104n, 0x10fn, 0x110n, 0x80000011n, 0x7000n],
    )
    assert.deepEqual([found.rflags, found.cpl, found.remarks], [0x246n, 3, []])
    const of = (name: string) => found.segments.find((segment) => segment.name === name)
    assert.deepEqual([of('cs')?.selector, of('gs')?.base], [0x33, 0xffff888000000000n])
  })

  it('are told as those of the last exit while the guest runs', () => {
    const { remarks } = read(hostOf(written(), 'kvm_amd', 'with types'), true)
    assert.deepEqual(remarks, ['it was running the guest: these are of its last exit'])
  })

  it('are told as those of a nested guest when another VMCB is in use', () => {
    const memory = written().u64(VCPU + offsetOf('vcpu_svm', 'vmcb01.ptr'), 0x5000n)
    const { remarks } = read(hostOf(memory, 'kvm_amd', 'with types'))
    assert.match(remarks.join(), /^the guest was running a guest of its own/)
  })

  it('lack the flags, with the reason, when the VMCB is missing or its place is not known', () => {
    const away = written().u64(VCPU + offsetOf('vcpu_svm', 'vmcb'), 0x9000n)
    const wild = written().u64(VCPU + offsetOf('vcpu_svm', 'vmcb'), 0x9001n)
    const cases = [
      [hostOf(written(), 'kvm_amd'), /no types of module kvm_amd/],
      [hostOf(away, 'kvm_amd', 'with types'), /in the VMCB: .*9/],
      [hostOf(wild, 'kvm_amd', 'with types'), /no VMCB is where vcpu_svm.vmcb points/],
    ] as const
    for (const [host, message] of cases) {
      const { rflags, cpl, rip, remarks } = read(host)
      assert.deepEqual([rflags, cpl, rip], [null, null, 0x110n])
      assert.match(remarks.join(), message)
    }
  })

  it('are not told of an encrypted guest', () => {
    const at = VCPU + offsetOf('kvm_vcpu', 'arch.guest_state_protected')
    const { rax, rip, cr3, remarks } = read(hostOf(written().u8(at, 1), 'kvm_amd', 'with types'))
    assert.deepEqual([rax, rip, cr3], [null, null, null])
    assert.match(remarks.join(), /encrypted/)
  })
})

describe('registers on a host of Intel', () => {
  it('are those that KVM has taken out of the VMCS, and the others are told', () => {
    // All but rsp, rip and cr3.
    const found = read(
      hostOf(written(0xffffffff & ~((1 << 4) | (1 << 16) | (1 << 19))), 'kvm_intel'),
    )
    assert.deepEqual(
      [found.rax, found.rsp, found.rip, found.cr0, found.cr3, found.rflags],
      [0x100n, null, null, 0x80000011n, null, null],
    )
    assert.match(
      found.remarks.join(),
      /^rsp, rip, rflags, cr3 and the segments are in Intel's VMCS/,
    )
  })
})

describe('registers where both drivers are part of the kernel', () => {
  it('are what KVM keeps', () => {
    const { rax, rflags, remarks } = read(hostOf(written()))
    assert.deepEqual([rax, rflags], [0x100n, null])
    assert.match(remarks.join(), /^rflags and the segments are in the VMCS or VMCB/)
  })
})
