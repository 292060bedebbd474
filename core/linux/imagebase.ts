// SPDX-License-Identifier: GPL-2.0-or-later
// phys_base out of page tables and registers: candidates, to be verified with VMCOREINFO.

import { hex } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { qemuCpus, type QemuCpu } from '../dump/qemu/qemunote.ts'
import { firstMapped } from '../paging/firstmapped.ts'
import { walk } from '../paging/walk.ts'
import { type Level, type PagingRules } from '../paging/x86_64.ts'
import { TEXT_MAP } from '../space/kva.ts'
import { type PhysicalMemory } from '../space/physical.ts'
import { type Found } from './found.ts'

/** The image can be mapped up to here, when KASLR is built in (KERNEL_IMAGE_SIZE). Modules come behind. */
const IMAGE_PAGES = 0x40000000 / PAGE_SIZE
/** The image and its mappings are aligned so (CONFIG_PHYSICAL_ALIGN of x86-64, PMD_SIZE). */
const IMAGE_ALIGN = 0x200000n

/**
 * Bits of an entry that may mark encrypted memory (AMD SME): none, or the C-bit, which was bit 47 on the first
 * processors and is bit 51 on later ones (CPUID 8000001F). Given as the high half of an entry.
 */
const encryptionBits = [0, 1 << (47 - 32), 1 << (51 - 32)] as const

/** Rules for kernel addresses: nothing that is not present is of interest there. */
export function kernelRules(levels: 4 | 5, encryptionHigh: number): PagingRules {
  return { levels, encryptionHigh, inverts: false, uffdWp: false, savedDirty: false }
}

/** What the registers of a QEMU-made file say, and why a processor's say nothing. */
export interface RegisterBases {
  readonly candidates: readonly Found<bigint>[]
  readonly processors: readonly QemuCpu[]
  readonly problems: readonly string[]
}

/**
 * phys_base by the registers of each processor: the physical address of the first handler of its interrupt table, and
 * the lowest page of the image that its page tables map. A processor that was in a guest's code or in firmware gives
 * none, or one that does not verify; there may be others.
 */
export function registerBases(memory: PhysicalMemory): RegisterBases {
  const { cpus, problems } = qemuCpus(memory.source.notes)
  const why = [...problems]
  const found = new Map<bigint, Found<bigint>>()
  for (const cpu of cpus) {
    const values = basesOf(memory, cpu)
    if (values.length === 0) why.push(`processor ${cpu.index}: ${reasonOf(cpu)}`)
    for (const one of values) if (!found.has(one.value)) found.set(one.value, one)
  }
  return { candidates: [...found.values()], processors: cpus, problems: why }
}

function basesOf(memory: PhysicalMemory, cpu: QemuCpu): Found<bigint>[] {
  const levels = (cpu.cr4 & (1n << 12n)) === 0n ? 4 : 5
  const processor = `QEMU's note of processor ${cpu.index}`
  for (const high of encryptionBits) {
    const rules = kernelRules(levels, high)
    const found: Found<bigint>[] = []
    for (const root of rootsOf(cpu.cr3, high)) {
      const handler = byInterruptTable(memory, rules, root, cpu.idtBase)
      if (handler !== undefined) {
        found.push({ value: handler, from: `the interrupt table of ${processor}` })
      }
      const lowest = lowestImagePage(memory, rules, root, levels)
      if (lowest !== undefined) {
        found.push({ value: lowest, from: `the lowest page of the image by CR3 of ${processor}` })
      }
    }
    if (found.length > 0) return found
  }
  return []
}

function reasonOf({ cr3, idtBase }: QemuCpu): string {
  const idt = idtBase === 0n ? 'no interrupt table (FRED)' : `interrupt table at ${hex(idtBase)}`
  return `CR3 ${hex(cr3)} maps no kernel image, ${idt}`
}

/**
 * phys_base by the value of CR3 alone. Four levels are tried, then five, without and with memory encryption.
 */
export function basesByRoot(memory: PhysicalMemory, cr3: bigint): Found<bigint>[] {
  const found = new Set<bigint>()
  for (const levels of [4, 5] as const) {
    for (const high of encryptionBits) {
      for (const root of rootsOf(cr3, high)) {
        const value = lowestImagePage(memory, kernelRules(levels, high), root, levels)
        if (value !== undefined) found.add(value)
      }
    }
  }
  const from = `the lowest page of the image by the given CR3 ${hex(cr3)}`
  return [...found].map((value) => ({ value, from }))
}

/**
 * The tables that CR3 can mean. Its low bits are a process's number (PCID) or cache control. With page-table isolation
 * bit 12 names a program's half, which maps next to nothing of the kernel, and the kernel's half is the page before it
 * (PTI_USER_PGTABLE_BIT of arch/x86/entry/calling.h); without isolation the bit is one of the address. Which it is
 * cannot be seen, so both are given.
 */
export function rootsOf(cr3: bigint, encryptionHigh: number): number[] {
  const root = Number(cr3 & 0xffffffffff000n & ~(BigInt(encryptionHigh) << 32n))
  return root % (2 * PAGE_SIZE) === 0 ? [root] : [root - PAGE_SIZE, root]
}

/**
 * By the first gate of the interrupt table (Intel SDM volume 3, figure 6-8): its handler is in the kernel's image, so
 * where the tables map it tells where the image lies.
 */
function byInterruptTable(
  memory: PhysicalMemory,
  rules: PagingRules,
  root: number,
  idtBase: bigint,
): bigint | undefined {
  // Linux keeps it in the upper half of the addresses, firmware and boot loaders below.
  if (idtBase < 1n << 63n) return undefined
  const { end } = walk(memory, rules, root, idtBase)
  if (end.kind !== 'page' || end.protNone) return undefined
  const page = memory.tryPage(Math.floor(end.hpa / PAGE_SIZE))
  const at = end.hpa % PAGE_SIZE
  if (!(page instanceof Uint8Array) || at + 16 > PAGE_SIZE) return undefined
  const gate = new DataView(page.buffer, page.byteOffset + at, 16)
  const low = gate.getUint16(0, true) + gate.getUint16(6, true) * 0x10000
  const handler = (BigInt(gate.getUint32(8, true)) << 32n) | BigInt(low)
  return baseBehind(memory, rules, root, handler)
}

function baseBehind(
  memory: PhysicalMemory,
  rules: PagingRules,
  root: number,
  address: bigint,
): bigint | undefined {
  if (address < TEXT_MAP || address >= TEXT_MAP + BigInt(IMAGE_PAGES * PAGE_SIZE)) return undefined
  const { end } = walk(memory, rules, root, address)
  if (end.kind !== 'page' || end.protNone) return undefined
  const base = BigInt(end.hpa) - (address - TEXT_MAP)
  return base % IMAGE_ALIGN === 0n ? base : undefined
}

/**
 * phys_base by the lowest page that is mapped where the image can be: cleanup_highmap of arch/x86/mm/init_64.c takes
 * away everything below `_text`, which is aligned to 2 MiB. `level` is that of the table at `root`: below the root of
 * a tree, the tables that its last entry leads to serve as well.
 */
export function lowestImagePage(
  memory: PhysicalMemory,
  rules: PagingRules,
  root: number,
  level: Level,
): bigint | undefined {
  // The image is mapped by the last but one entry of the last table of 512 GiB.
  const end = 512 ** level
  const start = end - 2 * 512 ** 2
  const lowest = firstMapped(memory, rules, root, level, start, start + IMAGE_PAGES)
  if (lowest === undefined) return undefined
  const virtual = BigInt(lowest.vpn - start) * BigInt(PAGE_SIZE)
  const physical = BigInt(lowest.frame) * BigInt(PAGE_SIZE)
  const isAligned = virtual % IMAGE_ALIGN === 0n && physical % IMAGE_ALIGN === 0n
  return isAligned && lowest.frame < memory.source.endPfn ? physical - virtual : undefined
}
