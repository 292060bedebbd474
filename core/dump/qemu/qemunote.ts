// SPDX-License-Identifier: GPL-2.0-or-later
// The registers of processors as QEMU's own notes have them: where the page tables and the interrupt table are.

import { readStruct, struct, u32, u64 } from '../../bytes/struct.ts'
import { type Note } from '../format.ts'

/** The owner's name of the note that dump-guest-memory writes for each processor, beside NT_PRSTATUS. */
const QEMU_NOTE = 'QEMU'
const QEMUCPUSTATE_VERSION = 1

/** A segment register (target/i386/arch_dump.c, QEMUCPUSegment). */
export const QEMUCPUSegment = struct('QEMUCPUSegment', {
  selector: u32,
  limit: u32,
  flags: u32,
  pad: u32,
  base: u64,
})

/** What a note begins with (target/i386/arch_dump.c, QEMUCPUState). `size` is that of the whole structure. */
export const QEMUCPUState = struct('QEMUCPUState', {
  version: u32,
  size: u32,
  rax: u64,
  rbx: u64,
  rcx: u64,
  rdx: u64,
  rsi: u64,
  rdi: u64,
  rsp: u64,
  rbp: u64,
  r8: u64,
  r9: u64,
  r10: u64,
  r11: u64,
  r12: u64,
  r13: u64,
  r14: u64,
  r15: u64,
  rip: u64,
  rflags: u64,
})
/** The segment registers, which follow in this order. */
export const QEMUCPUState_segments = [
  'cs',
  'ds',
  'es',
  'fs',
  'gs',
  'ss',
  'ldt',
  'tr',
  'gdt',
  'idt',
] as const
/** What follows the segments. `kernel_gs_base` came with QEMU 3.0; before, the structure ends at it. */
export const QEMUCPUState_tail = struct('QEMUCPUState', {
  cr0: u64,
  cr1: u64,
  cr2: u64,
  cr3: u64,
  cr4: u64,
  kernel_gs_base: u64,
})

const SEGMENTS_AT = QEMUCPUState.size
const TAIL_AT = SEGMENTS_AT + QEMUCPUState_segments.length * QEMUCPUSegment.size
const WITHOUT_KERNEL_GS = TAIL_AT + QEMUCPUState_tail.offsets.kernel_gs_base
const WITH_KERNEL_GS = TAIL_AT + QEMUCPUState_tail.size

/** A processor of the dumped machine, when QEMU stopped it. All are the registers' 64 bits, unchecked. */
export interface QemuCpu {
  /** Its place among the notes, which are in the order of QEMU's processors: from 0. */
  readonly index: number
  readonly rip: bigint
  readonly rsp: bigint
  readonly rflags: bigint
  /** The code segment's selector. Its two lowest bits are 0 in the kernel and 3 in a program. */
  readonly cs: number
  /**
   * The page table in use, with its low 12 bits, which are flags. Under page-table isolation it is the program's half
   * while a program runs (cs), and the kernel's is the page before; without isolation, tables lie at odd pages too.
   */
  readonly cr3: bigint
  /** Control bits: bit 12 (LA57) says that the page tables have five levels. */
  readonly cr4: bigint
  /** Control bits: bit 31 says that there is paging at all. */
  readonly cr0: bigint
  /** The address of the last page fault. */
  readonly cr2: bigint
  /** The interrupt descriptor table's address. 0 where the kernel uses FRED (Linux 6.9 and later). */
  readonly idtBase: bigint
  readonly idtLimit: number
  readonly gdtBase: bigint
  /** The base of GS: in the kernel, its area of this processor; in a program, the program's. */
  readonly gsBase: bigint
  /** The base of GS that `swapgs` brings; undefined in notes of QEMU before 3.0. */
  readonly kernelGsBase: bigint | undefined
}

/** What the notes of a dump say about processors. */
export interface QemuCpus {
  readonly cpus: readonly QemuCpu[]
  /** Notes of QEMU that could not be read, in words. */
  readonly problems: readonly string[]
}

/**
 * The processors of QEMU's notes, in their order. None when another program wrote the dump. A note of another version
 * or shorter than its structure is told, and the others are read.
 */
export function qemuCpus(notes: readonly Note[]): QemuCpus {
  const cpus: QemuCpu[] = []
  const problems: string[] = []
  const own = notes.filter(({ name, type }) => name === QEMU_NOTE && type === 0)
  for (const [index, { desc }] of own.entries()) {
    const problem = misfit(desc)
    if (problem === undefined) cpus.push(readCpu(index, desc))
    else problems.push(`QEMU's note of processor ${index} cannot be read: ${problem}`)
  }
  return { cpus, problems }
}

function misfit(desc: Uint8Array): string | undefined {
  if (desc.length < WITHOUT_KERNEL_GS) {
    return `it has ${desc.length} bytes, and registers of 64-bit processors are ${WITHOUT_KERNEL_GS}`
  }
  const { version, size } = readStruct(QEMUCPUState, viewOf(desc), 0)
  if (version !== QEMUCPUSTATE_VERSION) {
    return `its version is ${version}, and ${QEMUCPUSTATE_VERSION} is known`
  }
  if (size < WITHOUT_KERNEL_GS || size > desc.length) {
    return `it says that it has ${size} bytes, and ${desc.length} are there`
  }
  return undefined
}

function readCpu(index: number, desc: Uint8Array): QemuCpu {
  const view = viewOf(desc)
  const { size, rip, rsp, rflags } = readStruct(QEMUCPUState, view, 0)
  const segment = (name: (typeof QEMUCPUState_segments)[number]) => {
    const at = SEGMENTS_AT + QEMUCPUState_segments.indexOf(name) * QEMUCPUSegment.size
    return readStruct(QEMUCPUSegment, view, at)
  }
  const control = (name: keyof typeof QEMUCPUState_tail.offsets) =>
    view.getBigUint64(TAIL_AT + QEMUCPUState_tail.offsets[name], true)
  const idt = segment('idt')
  return {
    index,
    rip,
    rsp,
    rflags,
    cs: segment('cs').selector,
    cr3: control('cr3'),
    cr4: control('cr4'),
    cr0: control('cr0'),
    cr2: control('cr2'),
    idtBase: idt.base,
    idtLimit: idt.limit,
    gdtBase: segment('gdt').base,
    gsBase: segment('gs').base,
    kernelGsBase: size >= WITH_KERNEL_GS ? control('kernel_gs_base') : undefined,
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
